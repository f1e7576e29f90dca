from django.db import migrations

# Any courier's scope could read every merchant's addresses. A courier learns where its own parcels are
# picked up, and no more: the page of such a parcel reads that one address for it.
FORWARD = """
    ALTER POLICY parcels_pickupaddress_read ON parcels_pickupaddress USING (
        nullif(current_setting('alliance.scope', true), '') = 'all'
        OR nullif(current_setting('alliance.scope', true), '') = 'merchant:' || merchant_id
    );
"""
BACKWARD = """
    ALTER POLICY parcels_pickupaddress_read ON parcels_pickupaddress USING (
        nullif(current_setting('alliance.scope', true), '') = 'all'
        OR nullif(current_setting('alliance.scope', true), '') = 'merchant:' || merchant_id
        OR nullif(current_setting('alliance.scope', true), '') LIKE 'courier:%'
    );
"""


class Migration(migrations.Migration):
    dependencies = [("parcels", "0004_parcel_picked_up_at")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
