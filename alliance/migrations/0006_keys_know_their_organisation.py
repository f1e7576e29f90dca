from django.db import migrations

# What 0002 made, and: whoever is looked up by a key is looked up with the organisation it belongs to.
_READERS = """
    nullif(current_setting('alliance.scope', true), '') = 'all'
    OR nullif(current_setting('alliance.scope', true), '') = 'merchant:' || id
    OR nullif(current_setting('alliance.scope', true), '') = 'courier:' || id
    OR nullif(current_setting('alliance.scope', true), '') LIKE 'user:%'
    OR (kind = 'courier' AND (nullif(current_setting('alliance.scope', true), '') LIKE 'merchant:%'
        OR nullif(current_setting('alliance.scope', true), '') LIKE 'parcel:%'))
    OR (kind = 'merchant' AND nullif(current_setting('alliance.scope', true), '') LIKE 'courier:%')
"""
_KEYS = "OR nullif(current_setting('alliance.scope', true), '') LIKE 'key:%'"


class Migration(migrations.Migration):
    dependencies = [("alliance", "0005_excuse_claims_by_key")]

    operations = [
        migrations.RunSQL(
            f"ALTER POLICY alliance_organisation_read ON alliance_organisation USING ({_READERS} {_KEYS})",
            f"ALTER POLICY alliance_organisation_read ON alliance_organisation USING ({_READERS})",
        ),
    ]
