"""A parcel knows when its return was cancelled: it may be on another worker of a cluster."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0030_withdrawn_surcharges"),
    ]

    operations = [
        migrations.AddField(
            model_name="parcel",
            name="return_cancelled_at",
            field=models.DateTimeField(null=True, verbose_name="return cancelled"),
        ),
    ]
