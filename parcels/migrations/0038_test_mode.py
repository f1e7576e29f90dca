from typing import ClassVar

from django.db import migrations

from alliance.database.live_policies import hide_tests


class Migration(migrations.Migration):
    """Test parcels are seen by their sandbox, and by whoever has the number."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("parcels", "0037_webhook_endpoints")]
    operations: ClassVar[list[migrations.RunSQL]] = [
        hide_tests("parcels_parcel", parcel="id"),
        hide_tests("parcels_scan", parcel="parcel_id"),
        hide_tests("parcels_pickup"),
        hide_tests(
            "parcels_manifest",
            instead={
                "insert": "({scope} = 'all' AND {live}) OR {scope} = 'merchant:' || merchant_id",
                "delete": None,
            },
        ),
    ]
