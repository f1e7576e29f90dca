"""The pickup addresses of a city in the order of ops' list, made beside writers."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("parcels", "0101_names_of_known_merchants")]

    operations = [
        AddIndexConcurrently(
            model_name="pickupaddress",
            index=models.Index(fields=["city", "id"], name="pickup_address_by_city"),
        ),
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
        ),
    ]
