from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0018_dry_runs"),
    ]

    operations = [
        migrations.AddField(
            model_name="parcel",
            name="pickup_id",
            field=models.BigIntegerField(null=True, verbose_name="pickup request"),
        ),
    ]
