"""Freight: sums by day, surcharges, and final months with their settlement."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0022_label_size"),
        ("couriers", "0008_homes"),
        ("parcels", "0027_declared_values"),
        ("slas", "0021_declared_values"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FreightDay",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False, verbose_name="day")),
                ("counted_at", models.DateTimeField(verbose_name="counted")),
            ],
            options={
                "verbose_name": "counted day",
                "verbose_name_plural": "counted days",
            },
        ),
        migrations.CreateModel(
            name="FreightMonth",
            fields=[
                ("month", models.DateField(primary_key=True, serialize=False, verbose_name="month")),
                ("closed_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="closed")),
            ],
            options={
                "verbose_name": "closed month of freight",
                "verbose_name_plural": "closed months of freight",
            },
        ),
        migrations.CreateModel(
            name="FreightStatement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(verbose_name="month")),
                ("booked_count", models.IntegerField(verbose_name="booked")),
                ("fees_fen", models.BigIntegerField(verbose_name="fees (fen)")),
                ("cancelled_count", models.IntegerField(verbose_name="cancelled")),
                ("cancelled_fen", models.BigIntegerField(verbose_name="fees of cancelled parcels (fen)")),
                ("surcharges_fen", models.BigIntegerField(verbose_name="surcharges (fen)")),
                ("credits_fen", models.BigIntegerField(verbose_name="credits (fen)")),
                ("settled_on", models.DateField(null=True, verbose_name="settled on")),
                (
                    "settled_reference",
                    models.CharField(blank=True, max_length=80, verbose_name="reference of the payment"),
                ),
                ("settled_note", models.CharField(blank=True, max_length=200, verbose_name="note")),
                ("settled_at", models.DateTimeField(null=True, verbose_name="marked as settled")),
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
            ],
            options={
                "verbose_name": "freight statement",
                "verbose_name_plural": "freight statements",
                "indexes": [
                    models.Index(fields=["courier", "month", "merchant"], name="freight_statement_by_courier")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("merchant", "month", "courier"), name="freight_statement_once_a_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("settled_at", None), ("settled_on", None)),
                            models.Q(("settled_at__isnull", False), ("settled_on__isnull", False)),
                            _connector="OR",
                        ),
                        name="freight_statement_settled_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FreightSum",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                ("month", models.DateField(verbose_name="month")),
                ("booked_count", models.IntegerField(verbose_name="booked")),
                ("fees_fen", models.BigIntegerField(verbose_name="fees (fen)")),
                ("cancelled_count", models.IntegerField(verbose_name="cancelled")),
                ("cancelled_fen", models.BigIntegerField(verbose_name="fees of cancelled parcels (fen)")),
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
                "verbose_name": "sum of freight",
                "verbose_name_plural": "sums of freight",
                "indexes": [
                    models.Index(fields=["merchant", "month", "courier"], name="freight_sum_by_merchant"),
                    models.Index(fields=["courier", "month", "merchant"], name="freight_sum_by_courier"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("courier", "day", "merchant", "tier"), name="freight_sum_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Surcharge",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(verbose_name="month")),
                ("amount_fen", models.IntegerField(verbose_name="amount (fen)")),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("parcel_number", models.CharField(blank=True, max_length=20, verbose_name="parcel")),
                (
                    "entered_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="entered"),
                ),
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
                    "entered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="entered by",
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
            ],
            options={
                "verbose_name": "surcharge",
                "verbose_name_plural": "surcharges",
                "indexes": [
                    models.Index(fields=["merchant", "month", "courier"], name="surcharge_by_merchant"),
                    models.Index(fields=["courier", "month", "merchant"], name="surcharge_by_courier"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_fen", 0), _negated=True), name="surcharge_moves_something"
                    )
                ],
            },
        ),
        # Counted by workers.
        row_policy("parcels_freightsum", merchant="merchant_id", courier="courier_id", own_writes=False),
        # Entered by the courier, and never changed.
        row_policy(
            "parcels_surcharge",
            merchant="merchant_id",
            courier="courier_id",
            instead={
                "insert": "{scope} = 'all' OR {scope} = 'courier:' || courier_id",
                "update": None,
                "delete": None,
            },
        ),
        # Written by workers; marked as settled by either side, of which the service says which.
        row_policy(
            "parcels_freightstatement",
            merchant="merchant_id",
            courier="courier_id",
            instead={"insert": "{scope} = 'all'", "delete": None},
        ),
    ]
