"""Row-level security: who sees which row, and who writes it."""

from django.db import migrations

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("parcels", "0001_schema")]

    operations = [
        row_policy("parcels_merchant", merchant="organisation_id", also_read="{scope} LIKE 'courier:%'"),
        # A courier learns where its own parcels are picked up, and no more: the page of such a parcel reads
        # that one address for it.
        row_policy("parcels_pickupaddress", merchant="merchant_id"),
        row_policy("parcels_parcel", merchant="merchant_id", courier="courier_id", parcel="id"),
        row_policy("parcels_scan", merchant="merchant_id", courier="courier_id", parcel="parcel_id"),
        row_policy("parcels_scanfile", courier="courier_id"),
        row_policy("parcels_recipientproof", merchant="merchant_id"),
        row_policy("parcels_bookingfile", merchant="merchant_id"),
    ]
