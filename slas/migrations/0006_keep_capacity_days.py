from django.db import migrations

# Merchants reserve places, which makes and changes days of other people's offers; they delete none.
FORWARD = """
    ALTER POLICY slas_capacityday_delete ON slas_capacityday USING (
        nullif(current_setting('alliance.scope', true), '') = 'all'
        OR nullif(current_setting('alliance.scope', true), '') = 'courier:' || courier_id
    );
"""
BACKWARD = """
    ALTER POLICY slas_capacityday_delete ON slas_capacityday USING (
        nullif(current_setting('alliance.scope', true), '') = 'all'
        OR nullif(current_setting('alliance.scope', true), '') = 'courier:' || courier_id
        OR nullif(current_setting('alliance.scope', true), '') LIKE 'merchant:%'
    );
"""


class Migration(migrations.Migration):
    dependencies = [("slas", "0005_judging")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
