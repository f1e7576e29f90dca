"""Sums of credits, which statements are read from, and how far the ledger is added up in them."""

import django.db.models.deletion
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0020_faster_settings_function"),
        ("couriers", "0008_homes"),
        ("slas", "0018_no_keys_to_users"),
    ]

    operations = [
        migrations.CreateModel(
            name="CreditFold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateField(verbose_name="added up from")),
                ("last_id", models.BigIntegerField(default=0, verbose_name="added up to entry")),
                ("is_complete", models.BooleanField(default=False, verbose_name="all added up")),
            ],
            options={
                "verbose_name": "state of the sums of credits",
                "verbose_name_plural": "states of the sums of credits",
            },
        ),
        migrations.CreateModel(
            name="CreditSum",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(verbose_name="statement")),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("late", "Delivered late"),
                            ("overdue", "Overdue, not delivered"),
                            ("lost", "Lost"),
                            ("withdrawn", "Found to be on time: reversed"),
                            ("excused", "Exempt: reversed"),
                            ("found", "Found to be not lost"),
                        ],
                        max_length=12,
                        verbose_name="cause",
                    ),
                ),
                ("entry_count", models.IntegerField(verbose_name="entries")),
                ("credited_fen", models.BigIntegerField(verbose_name="credited (fen)")),
                ("taken_back_fen", models.BigIntegerField(verbose_name="taken back (fen)")),
                (
                    "courier",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="couriers.courier",
                        verbose_name="courier",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                        verbose_name="merchant",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="slas.servicetier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "sum of credits",
                "verbose_name_plural": "sums of credits",
                "indexes": [models.Index(fields=["courier", "month"], name="credit_sum_by_courier")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("merchant", "month", "courier", "tier", "cause"), name="credit_sum_once"
                    )
                ],
            },
        ),
        # Written by the batches that write the ledger.
        row_policy("slas_creditsum", merchant="merchant_id", courier="courier_id", own_writes=False),
    ]
