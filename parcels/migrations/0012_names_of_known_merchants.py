"""A courier reads the merchants that it has parcels of, not that there are all the others."""

from django.db import migrations

SCOPE = "nullif(current_setting('alliance.scope', true), '')"
POLICY = f"""
ALTER POLICY parcels_merchant_read ON parcels_merchant USING (
    {SCOPE} = 'all' OR {SCOPE} = 'merchant:' || organisation_id OR ({SCOPE} LIKE 'courier:%' <known>)
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0006_contacts"),
        ("parcels", "0011_merchants_without_limit"),
    ]

    operations = [
        migrations.RunSQL(
            POLICY.replace("<known>", f"AND alliance_knows({SCOPE}, organisation_id)"),
            POLICY.replace("<known>", ""),
        ),
    ]
