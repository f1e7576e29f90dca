"""The index of the few merchants without the limit of new ones, made beside writers."""

from django.db import migrations, models

from alliance.database.online_indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("parcels", "0010_turned_parcels")]

    operations = [
        AddIndexConcurrently(
            model_name="merchant",
            index=models.Index(
                condition=models.Q(limit_lifted=True), fields=["organisation"], name="merchant_without_limit"
            ),
        ),
    ]
