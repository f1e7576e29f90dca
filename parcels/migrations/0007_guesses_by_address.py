"""Wrong digits are counted by address, so that nobody locks a recipient out."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("parcels", "0006_contacts")]

    operations = [
        migrations.AddField(
            model_name="recipientproof", name="by_address", field=models.JSONField(default=dict)
        ),
    ]
