"""Copy the first attempts of parcels from their commitments, so that late scans of earlier stages reach them."""

from typing import Any

from django.db import migrations

from alliance.tenancy import Scope, raw_rows, scope

_COPY = """
UPDATE parcels_parcel p SET attempted_at = c.attempted_at
FROM slas_commitment c
WHERE c.parcel_id = p.id AND c.kind = 'delivery' AND c.attempted_at IS NOT NULL AND p.attempted_at IS NULL
"""


def copy(apps: Any, editor: Any) -> None:
    with scope(Scope.everything()):
        raw_rows(_COPY)


class Migration(migrations.Migration):
    dependencies = [("parcels", "0004_contradictions"), ("slas", "0002_policies")]

    operations = [migrations.RunPython(copy, migrations.RunPython.noop, elidable=True)]
