"""Tallies name a parcel, by which they are placed on a cluster; the release before leaves it at 0."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("slas", "0014_no_trigger_of_closed_months")]

    operations = [
        migrations.AddField("tally", "parcel_id", models.BigIntegerField(db_default=0)),
        migrations.AddField("progresstally", "parcel_id", models.BigIntegerField(db_default=0)),
    ]
