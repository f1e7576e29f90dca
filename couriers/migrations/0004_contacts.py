"""Contacts of couriers move to a table that their own people and ops read, and no merchant."""

from django.db import migrations

MOVE = """
INSERT INTO alliance_contact (organisation_id, name, phone, email)
SELECT organisation_id, contact_name, contact_phone, contact_email FROM couriers_courier
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("couriers", "0003_functions"), ("alliance", "0006_contacts")]

    operations = [
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        *(
            migrations.RemoveField("courier", name)
            for name in ("contact_name", "contact_phone", "contact_email")
        ),
    ]
