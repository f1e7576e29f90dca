"""A parcel's scope reads no courier's legal name and codes: tracking pages show its short name only."""

from django.db import migrations

from alliance.tenancy import SETTING

SCOPE = f"nullif(current_setting('{SETTING}', true), '')"
POLICY = f"""
ALTER POLICY couriers_courier_read ON couriers_courier USING (
    {SCOPE} = 'all' OR {SCOPE} = 'courier:' || organisation_id OR {SCOPE} LIKE 'merchant:%'<parcel>
)
"""


class Migration(migrations.Migration):
    dependencies = [("couriers", "0006_replaced_documents")]

    operations = [
        migrations.RunSQL(
            POLICY.replace("<parcel>", ""), POLICY.replace("<parcel>", f" OR {SCOPE} LIKE 'parcel:%'")
        ),
    ]
