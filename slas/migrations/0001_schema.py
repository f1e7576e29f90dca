"""Tiers, offers and promises; commitments and what becomes of them; rates, credits and scorecards."""

from typing import Any

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import alliance.file_jobs
import couriers.documents.files
import slas.excuses.models
import slas.exports.models
from alliance.database.partitions import CreatePartitionedModel


def dimension(to: str, verbose_name: str, **options: Any) -> models.ForeignKey:
    """A foreign key of a hot table: checked where the row is made, not by a trigger a row.

    Spelled out and not imported: when that of the models changes, these tables do not.
    """
    return models.ForeignKey(
        to,
        on_delete=django.db.models.deletion.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=verbose_name,
        **options,
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("alliance", "0001_schema"),
        ("couriers", "0001_schema"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ServiceTier",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                (
                    "code",
                    models.CharField(
                        choices=[
                            ("same_day", "Same day"),
                            ("next_day", "Next day"),
                            ("standard", "Standard"),
                        ],
                        max_length=20,
                        unique=True,
                        verbose_name="code",
                    ),
                ),
                ("name_en", models.CharField(max_length=60, verbose_name="English name")),
                ("name_zh", models.CharField(max_length=60, verbose_name="Chinese name")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("active", models.BooleanField(default=True, verbose_name="on sale")),
            ],
            options={
                "verbose_name": "service tier",
                "verbose_name_plural": "service tiers",
                "ordering": ["position"],
            },
        ),
        migrations.CreateModel(
            name="TierVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="version")),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                ("cut_offs", models.JSONField(verbose_name="cut-offs by weekday")),
                ("pickup_by", models.TimeField(verbose_name="pickup by")),
                ("deliver_by", models.TimeField(verbose_name="deliver by")),
                ("days_in_transit", models.PositiveSmallIntegerField(verbose_name="days in transit")),
                ("delivery_weekdays", models.JSONField(default=list, verbose_name="weekdays delivered")),
                (
                    "works_on_holidays",
                    models.BooleanField(default=True, verbose_name="works on public holidays"),
                ),
                ("weight_bands", models.JSONField(verbose_name="price by weight")),
                (
                    "tier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="slas.servicetier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "tier version",
                "verbose_name_plural": "tier versions",
                "constraints": [
                    models.UniqueConstraint(fields=("tier", "number"), name="tier_version_number_once"),
                    models.UniqueConstraint(fields=("tier", "valid_from"), name="tier_version_start_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Closure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("date", models.DateField(verbose_name="date")),
                (
                    "side",
                    models.CharField(
                        choices=[
                            ("origin", "Origin"),
                            ("destination", "Destination"),
                            ("both", "Origin and destination"),
                        ],
                        default="both",
                        max_length=12,
                        verbose_name="side",
                    ),
                ),
                ("country", models.CharField(max_length=2, verbose_name="country")),
                ("province", models.CharField(blank=True, max_length=120, verbose_name="province")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("is_public_holiday", models.BooleanField(default=False, verbose_name="public holiday")),
                (
                    "announced_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="announced"),
                ),
                (
                    "city",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="city",
                    ),
                ),
                ("ends", models.TimeField(blank=True, null=True, verbose_name="to")),
                ("starts", models.TimeField(blank=True, null=True, verbose_name="from")),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True, verbose_name="withdrawn at")),
            ],
            options={
                "verbose_name": "closure",
                "verbose_name_plural": "closures",
                "ordering": ["-date"],
                "indexes": [models.Index(fields=["date", "country"], name="closure_by_date")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at", None)),
                        fields=("date", "country", "province", "city", "name", "starts"),
                        name="closure_declared_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends", None),
                            models.Q(("ends__gt", models.F("starts")), ("starts__isnull", False)),
                            _connector="OR",
                        ),
                        name="closure_ends_after_start",
                    ),
                ],
            },
        ),
        CreatePartitionedModel(
            name="Commitment",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "parcel_id", "kind", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("parcel_id", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("due_date", models.DateField(verbose_name="due date")),
                ("reached_at", models.DateTimeField(null=True, verbose_name="reached")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("met", "On time"),
                            ("overdue", "Overdue"),
                            ("late", "Late"),
                            ("void", "Void"),
                        ],
                        default="pending",
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("excused", models.BooleanField(default=False, verbose_name="exempt")),
                ("courier", dimension("couriers.courier", "courier")),
                ("destination", dimension("alliance.city", "to")),
                ("merchant", dimension("alliance.organisation", "merchant")),
                ("origin", dimension("alliance.city", "from")),
                ("tier", dimension("slas.servicetier", "tier")),
                ("version", dimension("slas.tierversion", "rules", null=True)),
                ("arrived_at", models.DateTimeField(null=True, verbose_name="arrived")),
                ("attempted_at", models.DateTimeField(null=True, verbose_name="first attempt")),
                ("delivered_at", models.DateTimeField(null=True, verbose_name="delivered")),
                ("departed_at", models.DateTimeField(null=True, verbose_name="departed")),
                (
                    "excuse_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("consignee_refused", "Recipient refused the parcel"),
                            ("consignee_absent", "Recipient absent at an announced time"),
                            ("consignee_wrong_address", "Wrong address given"),
                            ("consignee_rescheduled", "Recipient asked for another time"),
                            ("merchant_not_ready", "Merchant handed over late"),
                            ("merchant_bad_data", "Merchant gave wrong or missing data"),
                            ("weather", "Weather"),
                            ("disaster", "Disaster"),
                            ("force_majeure", "Force majeure"),
                        ],
                        max_length=32,
                        verbose_name="exempt for",
                    ),
                ),
                ("fee_fen", models.IntegerField(null=True, verbose_name="fee (fen)")),
                ("lost_at", models.DateTimeField(null=True, verbose_name="lost")),
                ("out_for_delivery_at", models.DateTimeField(null=True, verbose_name="out for delivery")),
                ("picked_up_at", models.DateTimeField(null=True, verbose_name="picked up")),
                ("ready_at", models.DateTimeField(null=True, verbose_name="ready")),
                ("revised_due_at", models.DateTimeField(null=True, verbose_name="revised to")),
            ],
            options={
                "verbose_name": "commitment",
                "verbose_name_plural": "commitments",
                "indexes": [
                    models.Index(
                        condition=models.Q(("outcome", "pending")),
                        fields=["due_at"],
                        name="commitment_pending",
                    ),
                    models.Index(
                        condition=models.Q(("outcome", "overdue")),
                        fields=["courier", "due_at"],
                        name="commitment_overdue_courier",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("delivered_at__isnull", True),
                            ("kind", "delivery"),
                            ("outcome__in", ["met", "late"]),
                        ),
                        fields=["parcel_id"],
                        name="commitment_attempted",
                    ),
                    models.Index(
                        condition=models.Q(("lost_at__isnull", False)),
                        fields=["parcel_id"],
                        name="commitment_lost",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["pickup", "delivery"])), name="commitment_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outcome__in", ["pending", "overdue"]), ("reached_at__isnull", True)),
                            models.Q(
                                ("outcome", "met"),
                                ("reached_at__isnull", False),
                                ("reached_at__lte", models.F("due_at")),
                            ),
                            models.Q(
                                ("outcome", "late"),
                                ("reached_at__gt", models.F("due_at")),
                                ("reached_at__isnull", False),
                            ),
                            ("outcome", "void"),
                            _connector="OR",
                        ),
                        name="commitment_outcome_follows_times",
                    ),
                ],
            },
        ),
        CreatePartitionedModel(
            name="Breach",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "parcel_id", "kind", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("parcel_id", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("opened_at", models.DateTimeField(verbose_name="opened")),
                ("withdrawn_at", models.DateTimeField(null=True, verbose_name="withdrawn")),
                ("courier", dimension("couriers.courier", "courier")),
                ("destination", dimension("alliance.city", "to")),
                ("merchant", dimension("alliance.organisation", "merchant")),
                ("origin", dimension("alliance.city", "from")),
                ("tier", dimension("slas.servicetier", "tier")),
            ],
            options={
                "verbose_name": "breach",
                "verbose_name_plural": "breaches",
                "indexes": [
                    models.Index(fields=["courier", "-opened_at"], name="breach_by_courier"),
                    models.Index(fields=["merchant", "-opened_at"], name="breach_by_merchant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CreditSchedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="version")),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                ("bands", models.JSONField(verbose_name="share of the fee by lateness")),
                ("cap_fen", models.PositiveIntegerField(verbose_name="at most (fen)")),
                ("lost_fen", models.PositiveIntegerField(verbose_name="for a lost parcel (fen)")),
                (
                    "tier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_schedules",
                        to="slas.servicetier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "credit schedule",
                "verbose_name_plural": "credit schedules",
                "constraints": [
                    models.UniqueConstraint(fields=("tier", "number"), name="credit_schedule_number_once"),
                    models.UniqueConstraint(fields=("tier", "valid_from"), name="credit_schedule_start_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CreditCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("parcel_id", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(choices=[("pickup", "Pickup"), ("delivery", "Delivery")], max_length=10),
                ),
                ("courier", dimension("couriers.courier", "courier")),
                ("merchant", dimension("alliance.organisation", "merchant")),
            ],
            options={
                "verbose_name": "credit to calculate",
                "verbose_name_plural": "credits to calculate",
            },
        ),
        migrations.CreateModel(
            name="CreditEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("parcel_id", models.BigIntegerField(verbose_name="parcel")),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("amount_fen", models.IntegerField(verbose_name="amount (fen)")),
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
                ("late_by", models.IntegerField(null=True, verbose_name="late by (s)")),
                ("at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="recorded")),
                ("month", models.DateField(verbose_name="statement")),
                ("courier", dimension("couriers.courier", "courier")),
                ("merchant", dimension("alliance.organisation", "merchant")),
                ("tier", dimension("slas.servicetier", "tier")),
                ("schedule", dimension("slas.creditschedule", "schedule")),
                ("due_at", models.DateTimeField(verbose_name="promised")),
                ("reached_at", models.DateTimeField(null=True, verbose_name="reached")),
            ],
            options={
                "verbose_name": "credit entry",
                "verbose_name_plural": "credit entries",
                "indexes": [
                    models.Index(fields=["merchant", "month", "id"], name="credit_entry_by_merchant"),
                    models.Index(fields=["courier", "month", "id"], name="credit_entry_by_courier"),
                    models.Index(fields=["parcel_id", "kind"], name="credit_entry_by_parcel"),
                    models.Index(fields=["month"], name="credit_entry_by_month"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_fen", 0), _negated=True),
                        name="credit_entry_moves_something",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(verbose_name="month")),
                ("entries", models.PositiveIntegerField(verbose_name="entries")),
                ("total_fen", models.BigIntegerField(verbose_name="total (fen)")),
                ("closed_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="closed")),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "statement",
                "verbose_name_plural": "statements",
                "ordering": ["-month", "organisation"],
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "month"), name="statement_once_a_month")
                ],
            },
        ),
        migrations.CreateModel(
            name="ClosedMonth",
            fields=[
                ("month", models.DateField(primary_key=True, serialize=False, verbose_name="month")),
                ("closed_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="closed")),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="closed by",
                    ),
                ),
            ],
            options={
                "verbose_name": "closed month",
                "verbose_name_plural": "closed months",
                "ordering": ["-month"],
            },
        ),
        migrations.CreateModel(
            name="Disruption",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("weather", "Weather"),
                            ("disaster", "Disaster"),
                            ("force_majeure", "Force majeure"),
                        ],
                        max_length=32,
                        verbose_name="reason",
                    ),
                ),
                ("country", models.CharField(max_length=2, verbose_name="country")),
                ("province", models.CharField(blank=True, max_length=120, verbose_name="province")),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="to")),
                (
                    "recovery_hours",
                    models.PositiveSmallIntegerField(default=24, verbose_name="hours to recover"),
                ),
                (
                    "declared_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="declared"),
                ),
                (
                    "city",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="city",
                    ),
                ),
                (
                    "declared_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="declared by",
                    ),
                ),
            ],
            options={
                "verbose_name": "disruption",
                "verbose_name_plural": "disruptions",
                "ordering": ["-starts_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="disruption_ends_after_start",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Excuse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("parcel_id", models.BigIntegerField(verbose_name="parcel")),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("consignee_refused", "Recipient refused the parcel"),
                            ("consignee_absent", "Recipient absent at an announced time"),
                            ("consignee_wrong_address", "Wrong address given"),
                            ("consignee_rescheduled", "Recipient asked for another time"),
                            ("merchant_not_ready", "Merchant handed over late"),
                            ("merchant_bad_data", "Merchant gave wrong or missing data"),
                            ("weather", "Weather"),
                            ("disaster", "Disaster"),
                            ("force_majeure", "Force majeure"),
                        ],
                        max_length=32,
                        verbose_name="reason",
                    ),
                ),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                ("courier", dimension("couriers.courier", "courier")),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                ("merchant", dimension("alliance.organisation", "merchant")),
                (
                    "claimed_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested"),
                ),
                (
                    "claimed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
                    ),
                ),
                (
                    "closure",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="excuses",
                        to="slas.closure",
                        verbose_name="closure",
                    ),
                ),
                ("decision_note", models.TextField(blank=True, verbose_name="reason for the decision")),
                (
                    "evidence",
                    models.FileField(
                        blank=True,
                        max_length=120,
                        storage=couriers.documents.files.private_storage,
                        upload_to=slas.excuses.models.evidence_name,
                        verbose_name="evidence",
                    ),
                ),
                ("evidence_name", models.CharField(blank=True, max_length=160, verbose_name="file name")),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("courier", "The courier"),
                            ("ops", "The alliance"),
                            ("event", "A declared event"),
                        ],
                        max_length=12,
                        verbose_name="requested by",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("claimed", "Waiting for a decision"),
                            ("granted", "Granted"),
                            ("declined", "Declined"),
                            ("withdrawn", "Withdrawn"),
                            ("revoked", "Revoked"),
                            ("lapsed", "Lapsed: the breach was withdrawn"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "disruption",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="excuses",
                        to="slas.disruption",
                        verbose_name="disruption",
                    ),
                ),
            ],
            options={
                "verbose_name": "exemption",
                "verbose_name_plural": "exemptions",
                "permissions": [("decide_excuse", "Can decide on excuses")],
                "indexes": [
                    models.Index(fields=["parcel_id", "kind"], name="excuse_by_parcel"),
                    models.Index(fields=["courier", "-claimed_at"], name="excuse_by_courier"),
                    models.Index(fields=["merchant", "-claimed_at"], name="excuse_by_merchant"),
                    models.Index(
                        condition=models.Q(("state", "claimed")), fields=["claimed_at"], name="excuse_waiting"
                    ),
                    models.Index(
                        condition=models.Q(("state", "claimed")),
                        fields=["courier"],
                        name="excuse_waiting_courier",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["claimed", "granted"])),
                        fields=("parcel_id", "kind"),
                        name="excuse_once_a_breach",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_at", None), ("state__in", ["claimed", "withdrawn", "lapsed"])),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("state__in", ["granted", "declined", "revoked"]),
                            ),
                            _connector="OR",
                        ),
                        name="excuse_decided_when_decided",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "content",
                    models.CharField(
                        choices=[("commitments", "Commitments"), ("rates", "On-time statistics")],
                        max_length=12,
                        verbose_name="content",
                    ),
                ),
                (
                    "format",
                    models.CharField(
                        choices=[("csv", "CSV"), ("parquet", "Parquet")], max_length=8, verbose_name="format"
                    ),
                ),
                ("first", models.DateField(verbose_name="from")),
                ("last", models.DateField(verbose_name="to")),
                ("language", models.CharField(max_length=12, verbose_name="language")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waiting"),
                            ("running", "Writing"),
                            ("done", "Ready"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        default="queued",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("rows", models.PositiveBigIntegerField(null=True, verbose_name="rows")),
                ("done", models.PositiveBigIntegerField(default=0, verbose_name="rows written")),
                (
                    "file",
                    models.FileField(
                        blank=True,
                        max_length=160,
                        storage=couriers.documents.files.private_storage,
                        upload_to=slas.exports.models.export_name,
                        verbose_name="file",
                    ),
                ),
                ("size", models.PositiveBigIntegerField(default=0, verbose_name="bytes")),
                ("problem", models.CharField(blank=True, max_length=300, verbose_name="problem")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested at"),
                ),
                (
                    "due_at",
                    models.DateTimeField(default=alliance.file_jobs.first_due, verbose_name="next attempt"),
                ),
                ("expires_at", models.DateTimeField(verbose_name="kept until")),
                (
                    "organisation",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("label", models.CharField(blank=True, max_length=160, verbose_name="by")),
                ("parts", models.PositiveIntegerField(default=0)),
                ("position", models.CharField(blank=True, max_length=64)),
                ("with_fees", models.BooleanField(default=False, verbose_name="with fees")),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished")),
            ],
            options={
                "verbose_name": "export",
                "verbose_name_plural": "exports",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["organisation", "-id"], name="export_by_organisation"),
                    models.Index(
                        condition=models.Q(("file", ""), _negated=True),
                        fields=["state", "due_at"],
                        name="export_unfinished",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["queued", "running", "done", "failed", "expired"])),
                        name="export_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("first__lte", models.F("last"))), name="export_period_ordered"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProgressTally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("courier", dimension("couriers.courier", "courier")),
                ("tier", dimension("slas.servicetier", "tier")),
                ("origin", dimension("alliance.city", "from")),
                ("destination", dimension("alliance.city", "to")),
                ("due_date", models.DateField(verbose_name="due date")),
                (
                    "marks",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
            ],
            options={
                "verbose_name": "progress tally",
                "verbose_name_plural": "progress tallies",
            },
        ),
        migrations.CreateModel(
            name="Progress",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "courier_id",
                        "due_date",
                        "tier_id",
                        "origin_id",
                        "destination_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("courier", dimension("couriers.courier", "courier")),
                ("tier", dimension("slas.servicetier", "tier")),
                ("origin", dimension("alliance.city", "from")),
                ("destination", dimension("alliance.city", "to")),
                ("due_date", models.DateField(verbose_name="due date")),
                (
                    "marks",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
                (
                    "counts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
            ],
            options={
                "verbose_name": "progress",
                "verbose_name_plural": "progress",
                "indexes": [
                    models.Index(
                        fields=["origin", "destination", "tier", "due_date"], name="progress_by_lane"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WatchItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("parcel_id", models.BigIntegerField(verbose_name="parcel")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("at_risk", "At risk of being late"),
                            ("delayed", "Overdue"),
                            ("delayed_dispatch", "Not picked up in time"),
                            ("forgotten", "Booked, not scanned"),
                            ("failed_attempt", "Delivery attempt failed"),
                            ("exception", "Held or damaged"),
                            ("silent", "No scan for too long"),
                        ],
                        max_length=20,
                        verbose_name="reason",
                    ),
                ),
                ("due_at", models.DateTimeField(verbose_name="due")),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("booked", "Booked"),
                            ("picked_up", "Picked up"),
                            ("departed", "Departed"),
                            ("arrived", "Arrived"),
                            ("out_for_delivery", "Out for delivery"),
                        ],
                        max_length=20,
                        verbose_name="last seen",
                    ),
                ),
                ("stage_at", models.DateTimeField(verbose_name="since")),
                ("chance", models.FloatField(verbose_name="chance of being late")),
                ("p50_at", models.DateTimeField(null=True, verbose_name="expected")),
                ("p90_at", models.DateTimeField(null=True, verbose_name="latest expected")),
                ("refreshed_at", models.DateTimeField(verbose_name="calculated")),
                ("courier", dimension("couriers.courier", "courier")),
                ("destination", dimension("alliance.city", "to")),
                ("merchant", dimension("alliance.organisation", "merchant")),
                ("origin", dimension("alliance.city", "from")),
                ("tier", dimension("slas.servicetier", "tier")),
            ],
            options={
                "verbose_name": "parcel to watch",
                "verbose_name_plural": "parcels to watch",
                "indexes": [
                    models.Index(fields=["courier", "due_at"], name="watch_item_by_courier"),
                    models.Index(fields=["merchant", "due_at"], name="watch_item_by_merchant"),
                    models.Index(fields=["due_at"], name="watch_item_by_due"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("parcel_id", "reason"), name="watch_item_once_a_reason")
                ],
            },
        ),
        migrations.CreateModel(
            name="Offer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("price_fen", models.PositiveIntegerField(verbose_name="price (fen)")),
                ("daily_capacity", models.PositiveIntegerField(verbose_name="parcels a day")),
                ("active", models.BooleanField(default=True, verbose_name="on sale")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "courier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="couriers.courier",
                        verbose_name="courier",
                    ),
                ),
                (
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="to",
                    ),
                ),
                (
                    "origin",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="from",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="slas.servicetier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "offer",
                "verbose_name_plural": "offers",
                "indexes": [
                    models.Index(
                        condition=models.Q(("active", True)),
                        fields=["origin", "destination", "tier"],
                        name="offer_by_lane",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("courier", "tier", "origin", "destination"), name="offer_once_a_lane_and_tier"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("price_fen__gt", 0)), name="offer_price_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CapacityDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("date", models.DateField(verbose_name="pickup day")),
                ("limit", models.PositiveIntegerField(verbose_name="limit")),
                ("reserved", models.PositiveIntegerField(default=0, verbose_name="reserved")),
                ("courier", dimension("couriers.courier", "courier")),
                (
                    "offer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="days", to="slas.offer"
                    ),
                ),
            ],
            options={
                "verbose_name": "capacity day",
                "verbose_name_plural": "capacity days",
                "constraints": [models.UniqueConstraint(fields=("offer", "date"), name="capacity_day_once")],
            },
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("pending", models.IntegerField(default=0, verbose_name="pending")),
                ("met", models.IntegerField(default=0, verbose_name="on time")),
                ("late", models.IntegerField(default=0, verbose_name="late")),
                ("overdue", models.IntegerField(default=0, verbose_name="overdue")),
                ("void", models.IntegerField(default=0, verbose_name="void")),
                ("excused", models.IntegerField(default=0, verbose_name="exempt")),
                (
                    "kind",
                    models.CharField(choices=[("pickup", "Pickup"), ("delivery", "Delivery")], max_length=10),
                ),
                ("due_date", models.DateField()),
                ("courier", dimension("couriers.courier", "courier")),
                ("destination", dimension("alliance.city", "to")),
                ("merchant", dimension("alliance.organisation", "merchant")),
                ("origin", dimension("alliance.city", "from")),
                ("tier", dimension("slas.servicetier", "tier")),
                ("attempted", models.IntegerField(default=0, verbose_name="attempted")),
                (
                    "first_attempt",
                    models.IntegerField(default=0, verbose_name="delivered on the first attempt"),
                ),
                (
                    "marks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), null=True, size=None
                    ),
                ),
                ("within_48h", models.IntegerField(default=0, verbose_name="within 48 hours")),
                ("within_72h", models.IntegerField(default=0, verbose_name="within 72 hours")),
            ],
            options={
                "verbose_name": "tally",
                "verbose_name_plural": "tallies",
            },
        ),
        migrations.CreateModel(
            name="OnTimeRate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("pending", models.IntegerField(default=0, verbose_name="pending")),
                ("met", models.IntegerField(default=0, verbose_name="on time")),
                ("late", models.IntegerField(default=0, verbose_name="late")),
                ("overdue", models.IntegerField(default=0, verbose_name="overdue")),
                ("void", models.IntegerField(default=0, verbose_name="void")),
                ("excused", models.IntegerField(default=0, verbose_name="exempt")),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("due_date", models.DateField(verbose_name="due date")),
                ("counterpart", dimension("couriers.courier", "courier", null=True)),
                ("destination", dimension("alliance.city", "to")),
                ("organisation", dimension("alliance.organisation", "organisation")),
                ("origin", dimension("alliance.city", "from")),
                ("tier", dimension("slas.servicetier", "tier")),
                ("attempted", models.IntegerField(default=0, verbose_name="attempted")),
                (
                    "first_attempt",
                    models.IntegerField(default=0, verbose_name="delivered on the first attempt"),
                ),
                ("within_48h", models.IntegerField(default=0, verbose_name="within 48 hours")),
                ("within_72h", models.IntegerField(default=0, verbose_name="within 72 hours")),
                (
                    "marks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), null=True, size=None
                    ),
                ),
            ],
            options={
                "verbose_name": "on-time rate",
                "verbose_name_plural": "on-time rates",
                "indexes": [
                    models.Index(
                        condition=models.Q(("counterpart__isnull", True)),
                        fields=["origin", "destination", "tier", "due_date"],
                        name="on_time_rate_by_lane",
                    ),
                    models.Index(fields=["due_date", "kind"], name="on_time_rate_by_date"),
                    models.Index(
                        condition=models.Q(("counterpart__isnull", False)),
                        fields=["counterpart", "due_date"],
                        name="on_time_rate_counterpart",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "organisation",
                            "due_date",
                            "kind",
                            "tier",
                            "counterpart",
                            "origin",
                            "destination",
                        ),
                        name="on_time_rate_cell",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OverdueCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("organisation", dimension("alliance.organisation", "organisation")),
                ("counterpart", dimension("couriers.courier", "courier", null=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("overdue", models.IntegerField()),
            ],
            options={
                "verbose_name": "overdue count",
                "verbose_name_plural": "overdue counts",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organisation", "kind", "counterpart"),
                        name="overdue_count_of",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Revision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("parcel_id", models.BigIntegerField(verbose_name="parcel")),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                (
                    "requested_by",
                    models.CharField(
                        choices=[("recipient", "The recipient"), ("merchant", "The merchant")],
                        max_length=10,
                        verbose_name="requested by",
                    ),
                ),
                ("previous_due_at", models.DateTimeField(verbose_name="before")),
                ("due_at", models.DateTimeField(verbose_name="revised to")),
                ("judged", models.BooleanField(verbose_name="counts for on-time")),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                ("label", models.CharField(max_length=160, verbose_name="by")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="recorded at"),
                ),
                (
                    "agreed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="agreed by",
                    ),
                ),
                ("courier", dimension("couriers.courier", "courier")),
                ("merchant", dimension("alliance.organisation", "merchant")),
            ],
            options={
                "verbose_name": "revision",
                "verbose_name_plural": "revisions",
                "ordering": ["created_at", "pk"],
                "indexes": [models.Index(fields=["parcel_id", "kind"], name="revision_by_parcel")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("due_at__gt", models.F("previous_due_at"))),
                        name="revision_is_later",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("judged", False), ("requested_by", "recipient"), _connector="OR"),
                        name="revision_judged_for_recipient",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScoreRules",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(unique=True, verbose_name="version")),
                ("valid_from", models.DateField(unique=True, verbose_name="from month")),
                ("weights", models.JSONField(verbose_name="weights")),
                ("bands", models.JSONField(verbose_name="points by band")),
                ("grades", models.JSONField(verbose_name="minimum score by grade")),
                (
                    "minimum_volume",
                    models.PositiveIntegerField(verbose_name="minimum deliveries for a grade"),
                ),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
            ],
            options={
                "verbose_name": "scorecard rules",
                "verbose_name_plural": "scorecard rules",
                "ordering": ["-number"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("valid_from__day", 1)), name="score_rules_from_a_first"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Scorecard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(verbose_name="month")),
                ("components", models.JSONField(verbose_name="components")),
                (
                    "score",
                    models.DecimalField(decimal_places=2, max_digits=5, null=True, verbose_name="score"),
                ),
                ("n", models.PositiveIntegerField(verbose_name="deliveries judged")),
                (
                    "grade",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("gold", "Gold"),
                            ("silver", "Silver"),
                            ("member", "Member"),
                            ("probation", "Probation"),
                        ],
                        max_length=10,
                        verbose_name="grade",
                    ),
                ),
                ("rank", models.PositiveIntegerField(null=True, verbose_name="rank")),
                ("ranked", models.PositiveIntegerField(default=0, verbose_name="couriers ranked")),
                ("computed_at", models.DateTimeField(verbose_name="calculated")),
                ("frozen_at", models.DateTimeField(null=True, verbose_name="final since")),
                ("courier", dimension("couriers.courier", "courier")),
                (
                    "rules",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="slas.scorerules",
                        verbose_name="rules",
                    ),
                ),
            ],
            options={
                "verbose_name": "scorecard",
                "verbose_name_plural": "scorecards",
                "ordering": ["-month", "rank"],
                "indexes": [models.Index(fields=["month", "courier"], name="scorecard_by_month")],
                "constraints": [
                    models.UniqueConstraint(fields=("courier", "month"), name="scorecard_once_a_month"),
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="scorecard_of_a_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("score", None), ("score__range", (0, 100)), _connector="OR"),
                        name="scorecard_score_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("grade", ""), ("rank", None)),
                            models.Q(
                                ("grade__in", ["gold", "silver", "member", "probation"]),
                                ("rank__isnull", False),
                                ("score__isnull", False),
                                ("rank__gte", 1),
                                ("rank__lte", models.F("ranked")),
                            ),
                            _connector="OR",
                        ),
                        name="scorecard_graded_is_ranked",
                    ),
                ],
            },
        ),
        # Views: 0003_functions makes them.
        migrations.CreateModel(
            name="CommitmentListing",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("parcel_id", models.BigIntegerField(verbose_name="parcel")),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("reached_at", models.DateTimeField(null=True, verbose_name="reached")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("met", "On time"),
                            ("overdue", "Overdue"),
                            ("late", "Late"),
                            ("void", "Void"),
                        ],
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("excused", models.BooleanField(verbose_name="exempt")),
                (
                    "excuse_reason",
                    models.CharField(
                        choices=[
                            ("consignee_refused", "Recipient refused the parcel"),
                            ("consignee_absent", "Recipient absent at an announced time"),
                            ("consignee_wrong_address", "Wrong address given"),
                            ("consignee_rescheduled", "Recipient asked for another time"),
                            ("merchant_not_ready", "Merchant handed over late"),
                            ("merchant_bad_data", "Merchant gave wrong or missing data"),
                            ("weather", "Weather"),
                            ("disaster", "Disaster"),
                            ("force_majeure", "Force majeure"),
                        ],
                        max_length=32,
                        verbose_name="exempt for",
                    ),
                ),
            ],
            options={
                "verbose_name": "commitment",
                "verbose_name_plural": "commitments",
                "db_table": "slas_commitment_listing",
                "managed": False,
                "constraints": [
                    models.UniqueConstraint(fields=("parcel_id", "kind"), name="commitment_listing_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="BreachListing",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("parcel_id", models.BigIntegerField(verbose_name="parcel")),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("reached_at", models.DateTimeField(null=True, verbose_name="reached")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("met", "On time"),
                            ("overdue", "Overdue"),
                            ("late", "Late"),
                            ("void", "Void"),
                        ],
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("excused", models.BooleanField(verbose_name="exempt")),
                (
                    "excuse_reason",
                    models.CharField(
                        choices=[
                            ("consignee_refused", "Recipient refused the parcel"),
                            ("consignee_absent", "Recipient absent at an announced time"),
                            ("consignee_wrong_address", "Wrong address given"),
                            ("consignee_rescheduled", "Recipient asked for another time"),
                            ("merchant_not_ready", "Merchant handed over late"),
                            ("merchant_bad_data", "Merchant gave wrong or missing data"),
                            ("weather", "Weather"),
                            ("disaster", "Disaster"),
                            ("force_majeure", "Force majeure"),
                        ],
                        max_length=32,
                        verbose_name="exempt for",
                    ),
                ),
                ("opened_at", models.DateTimeField(verbose_name="opened")),
                ("withdrawn_at", models.DateTimeField(null=True, verbose_name="withdrawn")),
            ],
            options={
                "verbose_name": "breach",
                "verbose_name_plural": "breaches",
                "db_table": "slas_breach_listing",
                "managed": False,
                "constraints": [
                    models.UniqueConstraint(fields=("parcel_id", "kind"), name="breach_listing_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="HistogramBin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("due_date", models.DateField(verbose_name="due date")),
                (
                    "measure",
                    models.SmallIntegerField(
                        choices=[
                            (1, "Lateness"),
                            (2, "Excused breaches by reason"),
                            (100, "How early or late, by how far it had come before the promise"),
                        ],
                        verbose_name="measure",
                    ),
                ),
                ("bin", models.SmallIntegerField(verbose_name="bin")),
                ("count", models.IntegerField(verbose_name="count")),
            ],
            options={
                "verbose_name": "histogram bin",
                "verbose_name_plural": "histogram bins",
                "managed": False,
            },
        ),
    ]
