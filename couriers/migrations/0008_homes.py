"""Homes of couriers: which parts of the hash range their parcels are in. Members read none."""

import django.db.models.deletion
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("couriers", "0007_companies_of_no_parcel"),
    ]

    operations = [
        migrations.CreateModel(
            name="CourierHome",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("home", models.SmallIntegerField(null=True, verbose_name="home")),
                ("since", models.DateTimeField(verbose_name="new parcels since")),
                ("until", models.DateTimeField(null=True, verbose_name="new parcels until")),
                (
                    "share_ppm",
                    models.IntegerField(default=0, verbose_name="share of all parcels, in millionths"),
                ),
                (
                    "courier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="couriers.courier",
                        verbose_name="courier",
                    ),
                ),
            ],
            options={
                "verbose_name": "home of a courier",
                "verbose_name_plural": "homes of couriers",
                "ordering": ["courier", "home"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("courier", "home"), name="courier_home_once", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("home__isnull", True),
                            models.Q(("home__gte", 0), ("home__lt", 64)),
                            _connector="OR",
                        ),
                        name="courier_home_is_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("home__isnull", False), ("until__isnull", False), _connector="OR"
                        ),
                        name="courier_home_of_all_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("share_ppm__gte", 0), ("share_ppm__lte", 1000000)),
                        name="courier_home_share",
                    ),
                ],
            },
        ),
        row_policy("couriers_courierhome"),
    ]
