"""Contacts of merchants move to a table that their own people and ops read, and no courier."""

from django.db import migrations

MOVE = """
INSERT INTO alliance_contact (organisation_id, name, phone, email)
SELECT organisation_id, contact_name, contact_phone, '' FROM parcels_merchant WHERE contact_name <> ''
ON CONFLICT DO NOTHING
"""
# Of parcels that were booked before anybody noted it.
ACQUAINT = """
INSERT INTO alliance_acquaintance (merchant_id, courier_id)
SELECT DISTINCT merchant_id, courier_id FROM parcels_parcel
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("parcels", "0005_first_attempts"), ("alliance", "0006_contacts")]

    operations = [
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        migrations.RunSQL(ACQUAINT, migrations.RunSQL.noop),
        *(migrations.RemoveField("merchant", name) for name in ("contact_name", "contact_phone")),
    ]
