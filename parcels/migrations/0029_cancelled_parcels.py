"""Indexes of the few parcels that were cancelled: freight counts them by when they were."""

from django.db import migrations, models

from alliance.database.online_indexes import AddIndexToMonths


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("parcels", "0028_freight"),
    ]

    operations = [
        AddIndexToMonths(
            model_name="parcel",
            index=models.Index(
                condition=models.Q(("cancelled_at__isnull", False)),
                fields=["courier", "cancelled_at"],
                name="parcel_cancelled",
            ),
        ),
        AddIndexToMonths(
            model_name="parcel",
            index=models.Index(
                condition=models.Q(("cancelled_at__isnull", False)),
                fields=["merchant", "cancelled_at"],
                name="parcel_own_cancelled",
            ),
        ),
    ]
