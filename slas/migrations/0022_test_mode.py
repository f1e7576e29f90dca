from typing import ClassVar

from django.db import migrations

from alliance.database.live_policies import hide_tests, refuse_tests
from alliance.sandboxes import LONGEST_LIVE_SCOPE

# Merchants reserve places: sandboxes none.
PLACES = (
    "{scope} = 'all' OR {scope} = 'courier:' || courier_id"
    f" OR ({{scope}} LIKE 'merchant:%' AND (length({{scope}}) <= {LONGEST_LIVE_SCOPE}))"
)


class Migration(migrations.Migration):
    """Test parcels have commitments that only their sandbox sees, and are in no count."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("slas", "0021_declared_values")]
    operations: ClassVar[list[migrations.RunSQL]] = [
        hide_tests("slas_commitment", parcel="parcel_id"),
        hide_tests("slas_breach", parcel="parcel_id"),
        hide_tests("slas_revision", parcel="parcel_id"),
        refuse_tests("slas_tally"),
        refuse_tests("slas_creditcheck"),
        refuse_tests("slas_capacityday", instead={"insert": PLACES, "update": PLACES}),
    ]
