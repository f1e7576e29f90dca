from django.db import migrations

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("parcels", "0001_initial")]

    operations = [
        row_policy("parcels_merchant", merchant="organisation_id", also_read="{scope} LIKE 'courier:%'"),
        row_policy("parcels_pickupaddress", merchant="merchant_id", also_read="{scope} LIKE 'courier:%'"),
        row_policy("parcels_parcel", merchant="merchant_id", courier="courier_id", parcel="id"),
        row_policy("parcels_scan", merchant="merchant_id", courier="courier_id", parcel="parcel_id"),
    ]
