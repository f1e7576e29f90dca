"""Which of the merchant's rules chose a parcel's courier."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("parcels", "0022_saved_recipients")]

    operations = [
        migrations.AddField(
            model_name="parcel",
            name="rule_position",
            field=models.PositiveSmallIntegerField(null=True, verbose_name="position of the rule"),
        ),
        migrations.AddField(
            model_name="parcel",
            name="rule_name",
            field=models.CharField(max_length=60, null=True, verbose_name="rule"),
        ),
    ]
