"""A parcel's scope reads no organisation; the scope of no parcel reads couriers, for the names on tracking pages."""

from django.db import migrations

from alliance.tenancy import SETTING

SCOPE = f"nullif(current_setting('{SETTING}', true), '')"
POLICY = f"""
ALTER POLICY alliance_organisation_read ON alliance_organisation USING (
    {SCOPE} = 'all' OR {SCOPE} = 'merchant:' || id OR {SCOPE} = 'courier:' || id
    OR (kind = 'courier' AND status <> 'applicant' AND {SCOPE} LIKE 'merchant:%')
    OR (kind = 'courier' AND {SCOPE} <parcel>)
    OR alliance_knows({SCOPE}, id)
)
"""


class Migration(migrations.Migration):
    dependencies = [("alliance", "0012_email_in_lower_case")]

    operations = [
        migrations.RunSQL(
            POLICY.replace("<parcel>", "= 'parcel:0'"), POLICY.replace("<parcel>", "LIKE 'parcel:%'")
        ),
    ]
