"""The index by which a manifest's parcels are read, beside writers: only parcels on one are in it."""

from django.db import migrations, models

from alliance.database.online_indexes import AddIndexToMonths


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("parcels", "0025_manifests")]

    operations = [
        AddIndexToMonths(
            "parcel",
            models.Index(
                fields=["manifest_id", "id"],
                condition=models.Q(manifest_id__isnull=False),
                name="parcel_by_manifest",
            ),
        ),
    ]
