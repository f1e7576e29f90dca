"""Rules by which merchants choose among couriers."""

import django.db.models.constraints
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0021_allocation_capability"),
        ("slas", "0019_sums_of_credits"),
    ]

    operations = [
        migrations.CreateModel(
            name="AllocationRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(verbose_name="position")),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("is_active", models.BooleanField(default=True, verbose_name="on")),
                (
                    "origin_country",
                    models.CharField(blank=True, max_length=2, verbose_name="country of origin"),
                ),
                (
                    "origin_province",
                    models.CharField(blank=True, max_length=120, verbose_name="province of origin"),
                ),
                (
                    "destination_country",
                    models.CharField(blank=True, max_length=2, verbose_name="country of destination"),
                ),
                (
                    "destination_province",
                    models.CharField(blank=True, max_length=120, verbose_name="province of destination"),
                ),
                (
                    "least_g",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="from weight (g)"),
                ),
                (
                    "most_g",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="up to weight (g)"),
                ),
                (
                    "reference_prefix",
                    models.CharField(blank=True, max_length=64, verbose_name="reference begins with"),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("only", "Only these couriers"),
                            ("never", "Never these couriers"),
                            ("cheapest", "The cheapest above a reliability"),
                            ("most_reliable", "The most reliable under a price"),
                            ("split", "Split by share"),
                            ("stop", "No further rule: as recommended"),
                        ],
                        max_length=16,
                        verbose_name="action",
                    ),
                ),
                ("couriers", models.JSONField(blank=True, default=dict, verbose_name="couriers")),
                (
                    "least_score",
                    models.PositiveSmallIntegerField(default=0, verbose_name="least reliability (‰)"),
                ),
                ("most_fen", models.PositiveIntegerField(default=0, verbose_name="highest price (fen)")),
                ("stops", models.BooleanField(default=False, verbose_name="no further rule")),
                (
                    "changed_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="changed"),
                ),
                (
                    "destination",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="to",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                        verbose_name="merchant",
                    ),
                ),
                (
                    "origin",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="from",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="slas.servicetier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "allocation rule",
                "verbose_name_plural": "allocation rules",
                "ordering": ["merchant_id", "position"],
                "constraints": [
                    models.UniqueConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        fields=("merchant", "position"),
                        name="allocation_rule_position_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("action__in", ["only", "never", "cheapest", "most_reliable", "split", "stop"])
                        ),
                        name="allocation_rule_action_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("least_g", None),
                            ("most_g", None),
                            ("least_g__lte", models.F("most_g")),
                            _connector="OR",
                        ),
                        name="allocation_rule_weights_ordered",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("origin", None), ("origin_province", ""), _connector="OR"),
                            models.Q(("destination", None), ("destination_province", ""), _connector="OR"),
                        ),
                        name="allocation_rule_ends_single",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("least_score__lte", 1000)), name="allocation_rule_score_is_ratio"
                    ),
                ],
            },
        ),
        row_policy("slas_allocationrule", merchant="merchant_id"),
    ]
