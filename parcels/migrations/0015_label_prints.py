from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0014_pickup_addresses_by_city"),
    ]

    operations = [
        migrations.AddField(
            model_name="parcel",
            name="label_printed_at",
            field=models.DateTimeField(null=True, verbose_name="label printed"),
        ),
    ]
