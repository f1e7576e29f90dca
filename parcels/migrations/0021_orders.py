"""Several parcels of one order."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0020_pickups"),
    ]

    operations = [
        migrations.AddField(
            model_name="parcel",
            name="piece",
            field=models.PositiveSmallIntegerField(db_default=1, default=1, verbose_name="piece"),
        ),
        migrations.AddField(
            model_name="parcel",
            name="pieces",
            field=models.PositiveSmallIntegerField(db_default=1, default=1, verbose_name="pieces"),
        ),
        migrations.AddField(
            model_name="parcel",
            name="order_id",
            field=models.BigIntegerField(null=True, verbose_name="order"),
        ),
    ]
