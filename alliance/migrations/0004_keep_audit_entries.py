from django.db import migrations

# Whoever asks in any scope adds entries; the condition held for changing and deleting as well, and a
# statement without a WHERE asks no other.
FORWARD = """
    DROP POLICY alliance_auditentry_update ON alliance_auditentry;
    ALTER POLICY alliance_auditentry_delete ON alliance_auditentry
        USING (nullif(current_setting('alliance.scope', true), '') = 'all');
"""
BACKWARD = """
    ALTER POLICY alliance_auditentry_delete ON alliance_auditentry
        USING (nullif(current_setting('alliance.scope', true), '') IS NOT NULL);
    CREATE POLICY alliance_auditentry_update ON alliance_auditentry FOR UPDATE
        USING (nullif(current_setting('alliance.scope', true), '') IS NOT NULL);
"""


class Migration(migrations.Migration):
    dependencies = [("alliance", "0003_load_cities")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
