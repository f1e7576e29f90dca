"""Pickup requests."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("couriers", "0008_homes"),
        ("parcels", "0019_pickups_of_parcels"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Pickup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                ("starts_at", models.DateTimeField(verbose_name="window from")),
                ("ends_at", models.DateTimeField(verbose_name="window until")),
                ("proposed_starts_at", models.DateTimeField(null=True, verbose_name="proposed from")),
                ("proposed_ends_at", models.DateTimeField(null=True, verbose_name="proposed until")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Waiting for the courier"),
                            ("proposed", "Another window proposed"),
                            ("accepted", "Accepted"),
                            ("declined", "Declined"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="requested",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "parcel_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None, verbose_name="parcels"
                    ),
                ),
                ("weight_g", models.PositiveBigIntegerField(default=0, verbose_name="weight (g)")),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="note")),
                ("answer", models.CharField(blank=True, max_length=300, verbose_name="answer")),
                (
                    "requested_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested at"),
                ),
                ("answered_at", models.DateTimeField(null=True, verbose_name="answered")),
                ("settled_at", models.DateTimeField(null=True, verbose_name="settled")),
                (
                    "address",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="parcels.pickupaddress",
                        verbose_name="pickup address",
                    ),
                ),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="answered by",
                    ),
                ),
                (
                    "courier",
                    models.ForeignKey(
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
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="parcels.merchant",
                        verbose_name="merchant",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="settled by",
                    ),
                ),
            ],
            options={
                "verbose_name": "pickup request",
                "verbose_name_plural": "pickup requests",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["merchant", "-id"], name="pickup_by_merchant"),
                    models.Index(fields=["courier", "-id"], name="pickup_by_courier"),
                    models.Index(fields=["day"], name="pickup_by_day"),
                    models.Index(
                        condition=models.Q(("state", "accepted")),
                        fields=["courier", "day", "starts_at", "id"],
                        name="pickup_round",
                    ),
                    models.Index(
                        condition=models.Q(("state", "requested")),
                        fields=["courier", "ends_at"],
                        name="pickup_to_answer",
                    ),
                    models.Index(
                        condition=models.Q(("state", "proposed")),
                        fields=["merchant", "proposed_ends_at"],
                        name="pickup_to_agree",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["requested", "proposed", "accepted", "declined", "cancelled"])
                        ),
                        name="pickup_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("starts_at__lt", models.F("ends_at"))),
                        name="pickup_window_ordered",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("proposed_ends_at__isnull", True),
                                ("proposed_starts_at__isnull", True),
                                models.Q(("state", "proposed"), _negated=True),
                            ),
                            models.Q(
                                ("proposed_ends_at__isnull", False),
                                ("proposed_starts_at__isnull", False),
                                ("proposed_starts_at__lt", models.F("proposed_ends_at")),
                            ),
                            _connector="OR",
                        ),
                        name="pickup_proposal_ordered",
                    ),
                ],
            },
        ),
        row_policy("parcels_pickup", merchant="merchant_id", courier="courier_id"),
    ]
