"""The pickup addresses of a city in the order of ops' list, made beside writers."""

import django.db.models.deletion
from django.db import migrations, models

from alliance.database.online_indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("parcels", "0013_files_due")]

    operations = [
        AddIndexConcurrently(
            model_name="pickupaddress",
            index=models.Index(fields=["city", "id"], name="pickup_address_by_city"),
        ),
        # Django would drop the foreign key as well, and check every row to make it again.
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS parcels_pickupaddress_city_id_03aeba1e",
                    "CREATE INDEX parcels_pickupaddress_city_id_03aeba1e ON parcels_pickupaddress (city_id)",
                )
            ],
            [
                migrations.AlterField(
                    model_name="pickupaddress",
                    name="city",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="city",
                    ),
                )
            ],
        ),
    ]
