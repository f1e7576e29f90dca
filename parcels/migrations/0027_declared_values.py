"""The declared value of a parcel."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0026_manifests_of_parcels"),
        ("slas", "0021_declared_values"),
    ]

    operations = [
        migrations.AddField(
            model_name="parcel",
            name="declared_value_fen",
            field=models.PositiveIntegerField(null=True, verbose_name="declared value (fen)"),
        ),
    ]
