"""Merchants, parcels and their scans, and the files that bring them."""

from typing import Any

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import alliance.file_jobs
from alliance.database.partitions import CreateModelPartitionedById, CreatePartitionedModel


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
        ("slas", "0001_schema"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Merchant",
            fields=[
                (
                    "organisation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="merchant",
                        serialize=False,
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
                ("contact_name", models.CharField(blank=True, max_length=120, verbose_name="contact")),
                ("contact_phone", models.CharField(blank=True, max_length=40, verbose_name="phone")),
            ],
            options={
                "verbose_name": "merchant",
                "verbose_name_plural": "merchants",
            },
        ),
        migrations.CreateModel(
            name="PickupAddress",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("address", models.CharField(max_length=300, verbose_name="address")),
                ("contact_name", models.CharField(max_length=120, verbose_name="contact")),
                ("contact_phone", models.CharField(max_length=40, verbose_name="phone")),
                ("is_default", models.BooleanField(default=False, verbose_name="default")),
                (
                    "city",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="city",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pickup_addresses",
                        to="parcels.merchant",
                    ),
                ),
            ],
            options={
                "verbose_name": "pickup address",
                "verbose_name_plural": "pickup addresses",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("merchant",),
                        name="pickup_address_one_default",
                    )
                ],
            },
        ),
        CreateModelPartitionedById(
            name="Parcel",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("portal", "Portal"),
                            ("api", "API"),
                            ("file", "File"),
                            ("history", "Imported history"),
                        ],
                        max_length=8,
                        verbose_name="source",
                    ),
                ),
                (
                    "reference",
                    models.CharField(blank=True, db_collation="C", max_length=64, verbose_name="reference"),
                ),
                ("recipient_name", models.CharField(blank=True, max_length=120, verbose_name="recipient")),
                (
                    "recipient_phone",
                    models.CharField(blank=True, max_length=40, verbose_name="recipient's phone"),
                ),
                (
                    "recipient_address",
                    models.CharField(blank=True, max_length=300, verbose_name="recipient's address"),
                ),
                ("weight_g", models.PositiveIntegerField(null=True, verbose_name="weight (g)")),
                ("fee_fen", models.PositiveIntegerField(null=True, verbose_name="fee (fen)")),
                ("booked_at", models.DateTimeField(verbose_name="booked")),
                ("ready_at", models.DateTimeField(verbose_name="ready")),
                ("pickup_date", models.DateField(null=True, verbose_name="pickup day")),
                ("pickup_by", models.DateTimeField(null=True, verbose_name="pickup by")),
                ("deliver_by", models.DateTimeField(verbose_name="deliver by")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("booked", "Booked"),
                            ("picked_up", "Picked up"),
                            ("in_transit", "In transit"),
                            ("out_for_delivery", "Out for delivery"),
                            ("attempt_failed", "Delivery attempt failed"),
                            ("available_for_pickup", "Ready for collection"),
                            ("delivered", "Delivered"),
                            ("exception", "Exception"),
                            ("returning", "Returning to sender"),
                            ("returned", "Returned to sender"),
                            ("lost", "Lost"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="booked",
                        max_length=20,
                        verbose_name="status",
                    ),
                ),
                ("status_at", models.DateTimeField(verbose_name="status since")),
                ("last_scan_at", models.DateTimeField(null=True, verbose_name="last scan")),
                ("delivered_at", models.DateTimeField(null=True, verbose_name="delivered")),
                ("cancelled_at", models.DateTimeField(null=True, verbose_name="cancelled")),
                ("corrected", models.BooleanField(default=False)),
                ("courier", dimension("couriers.courier", "courier")),
                ("destination", dimension("alliance.city", "to")),
                ("merchant", dimension("parcels.merchant", "merchant")),
                ("offer", dimension("slas.offer", "offer", null=True)),
                ("origin", dimension("alliance.city", "from")),
                ("tier", dimension("slas.servicetier", "tier")),
                ("version", dimension("slas.tierversion", "rules", null=True)),
                ("pickup_address", dimension("parcels.pickupaddress", "pickup address", null=True)),
                ("picked_up_at", models.DateTimeField(null=True, verbose_name="picked up")),
                ("arrived_at", models.DateTimeField(null=True, verbose_name="arrived")),
                ("departed_at", models.DateTimeField(null=True, verbose_name="departed")),
                ("out_for_delivery_at", models.DateTimeField(null=True, verbose_name="out for delivery")),
                ("erased_at", models.DateTimeField(null=True, verbose_name="recipient erased")),
            ],
            options={
                "verbose_name": "parcel",
                "verbose_name_plural": "parcels",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["merchant", "-id"], name="parcel_by_merchant"),
                    models.Index(fields=["courier", "-id"], name="parcel_by_courier"),
                    models.Index(
                        condition=models.Q(("reference", ""), _negated=True),
                        fields=["merchant", "reference"],
                        name="parcel_by_own_reference",
                    ),
                    models.Index(
                        condition=models.Q(("reference", ""), _negated=True),
                        fields=["courier", "reference"],
                        name="parcel_by_courier_reference",
                    ),
                    models.Index(
                        condition=models.Q(("erased_at__isnull", True)), fields=["id"], name="parcel_unerased"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "booked",
                                    "picked_up",
                                    "in_transit",
                                    "out_for_delivery",
                                    "attempt_failed",
                                    "available_for_pickup",
                                    "delivered",
                                    "exception",
                                    "returning",
                                    "returned",
                                    "lost",
                                    "cancelled",
                                ],
                            )
                        ),
                        name="parcel_status_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BookingFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "uploaded_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="uploaded"),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                (
                    "content",
                    models.FileField(max_length=300, upload_to="booking_files/%Y/%m", verbose_name="file"),
                ),
                ("digest", models.CharField(max_length=64)),
                ("size", models.PositiveBigIntegerField(verbose_name="size")),
                ("lines", models.PositiveIntegerField(verbose_name="lines")),
                ("encoding", models.CharField(max_length=12, verbose_name="encoding")),
                ("language", models.CharField(max_length=12, verbose_name="language")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("position", models.PositiveBigIntegerField(default=0)),
                ("line", models.PositiveIntegerField(default=0, verbose_name="lines done")),
                ("done", models.PositiveIntegerField(default=0, verbose_name="rows done")),
                ("booked", models.PositiveIntegerField(default=0, verbose_name="booked")),
                ("duplicate", models.PositiveIntegerField(default=0, verbose_name="already booked")),
                ("rejected", models.PositiveIntegerField(default=0, verbose_name="rejected")),
                ("results_size", models.PositiveBigIntegerField(default=0)),
                ("problems_size", models.PositiveBigIntegerField(default=0)),
                ("seconds", models.FloatField(default=0, verbose_name="processing time (s)")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                (
                    "due_at",
                    models.DateTimeField(default=alliance.file_jobs.first_due, verbose_name="next attempt"),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished")),
                ("deleted_at", models.DateTimeField(blank=True, null=True, verbose_name="files deleted")),
                ("problem", models.CharField(blank=True, max_length=300, verbose_name="problem")),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="booking_files",
                        to="parcels.merchant",
                        verbose_name="merchant",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="uploaded by",
                    ),
                ),
                ("rejected_size", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "booking file",
                "verbose_name_plural": "booking files",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["merchant", "-id"], name="booking_file_by_merchant"),
                    models.Index(fields=["merchant", "digest"], name="booking_file_by_digest"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "running", "done", "failed", "cancelled"])
                        ),
                        name="booking_file_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "done",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("booked"), "+", models.F("duplicate")
                                    ),
                                    "+",
                                    models.F("rejected"),
                                ),
                            )
                        ),
                        name="booking_file_counts_add_up",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RecipientProof",
            fields=[
                ("parcel_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("failed", models.PositiveSmallIntegerField(default=0, verbose_name="failed attempts")),
                ("since", models.DateTimeField(default=django.utils.timezone.now, verbose_name="since")),
                ("merchant", dimension("alliance.organisation", "merchant")),
            ],
            options={
                "verbose_name": "recipient's proof",
                "verbose_name_plural": "recipients' proofs",
            },
        ),
        migrations.CreateModel(
            name="ScanFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "uploaded_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="uploaded"),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                ("content", models.FileField(upload_to="scan_files/%Y/%m", verbose_name="file")),
                ("encoding", models.CharField(max_length=12, verbose_name="encoding")),
                ("language", models.CharField(max_length=12, verbose_name="language")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("rows", models.PositiveIntegerField(verbose_name="rows")),
                ("done", models.PositiveIntegerField(default=0, verbose_name="rows done")),
                ("accepted", models.PositiveIntegerField(default=0, verbose_name="accepted")),
                ("duplicate", models.PositiveIntegerField(default=0, verbose_name="duplicates")),
                ("rejected", models.PositiveIntegerField(default=0, verbose_name="rejected")),
                ("results_size", models.PositiveBigIntegerField(default=0)),
                (
                    "due_at",
                    models.DateTimeField(default=alliance.file_jobs.first_due, verbose_name="next attempt"),
                ),
                ("problem", models.CharField(blank=True, max_length=300, verbose_name="problem")),
                (
                    "courier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="scan_files",
                        to="couriers.courier",
                        verbose_name="courier",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="uploaded by",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished")),
            ],
            options={
                "verbose_name": "scan file",
                "verbose_name_plural": "scan files",
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["courier", "-id"], name="scan_file_by_courier")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["queued", "running", "done", "failed"])),
                        name="scan_file_state_known",
                    )
                ],
            },
        ),
        CreatePartitionedModel(
            name="Scan",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "parcel_id",
                        "event_key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("parcel_id", models.BigIntegerField()),
                ("event_key", models.BigIntegerField()),
                (
                    "code",
                    models.CharField(
                        choices=[
                            ("picked_up", "Picked up from sender"),
                            ("departed", "Departed"),
                            ("arrived", "Arrived"),
                            ("out_for_delivery", "Out for delivery"),
                            ("attempt_failed", "Delivery attempt failed"),
                            ("available_for_pickup", "Ready for collection"),
                            ("delivered", "Delivered"),
                            ("held", "Held"),
                            ("damaged", "Damaged"),
                            ("lost", "Lost"),
                            ("return_started", "Return to sender started"),
                            ("returned", "Returned to sender"),
                            ("correction", "Correction"),
                        ],
                        max_length=20,
                        verbose_name="code",
                    ),
                ),
                ("occurred_at", models.DateTimeField(verbose_name="occurred")),
                ("received_at", models.DateTimeField(verbose_name="received")),
                ("reason", models.CharField(blank=True, max_length=40, verbose_name="reason")),
                ("facility", models.CharField(blank=True, max_length=64, verbose_name="facility")),
                ("event_id", models.CharField(blank=True, max_length=64, verbose_name="event id")),
                ("consent", models.BooleanField(default=False, verbose_name="consent")),
                ("corrects", models.BigIntegerField(null=True)),
                ("courier", dimension("couriers.courier", "courier")),
                ("merchant", dimension("alliance.organisation", "merchant")),
            ],
            options={
                "verbose_name": "scan",
                "verbose_name_plural": "scans",
                "indexes": [
                    django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True,
                        fields=["occurred_at", "received_at"],
                        name="scan_by_time",
                        pages_per_range=512,
                    )
                ],
            },
        ),
    ]
