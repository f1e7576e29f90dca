"""Manifests, and the column by which a parcel names its own."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import alliance.file_jobs
import parcels.manifests.rules
from alliance.tenancy import row_policy


def _key(to, verbose_name, **options):
    options.setdefault("on_delete", django.db.models.deletion.PROTECT)
    return models.ForeignKey(related_name="+", to=to, verbose_name=verbose_name, **options)


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0024_returns"),
        ("couriers", "0008_homes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Manifest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("language", models.CharField(max_length=12, verbose_name="language")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                (
                    "due_at",
                    models.DateTimeField(default=alliance.file_jobs.first_due, verbose_name="next attempt"),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished")),
                ("problem", models.CharField(blank=True, max_length=300, verbose_name="problem")),
                (
                    "code",
                    models.BigIntegerField(
                        default=parcels.manifests.rules.new_code, editable=False, unique=True
                    ),
                ),
                ("merchant", _key("parcels.merchant", "merchant", db_index=False)),
                ("courier", _key("couriers.courier", "courier", db_index=False)),
                ("origin", _key("alliance.city", "from", db_index=False, db_constraint=False)),
                (
                    "pickup_address",
                    _key("parcels.pickupaddress", "pickup address", db_index=False, null=True),
                ),
                ("day", models.DateField(verbose_name="pickup day")),
                ("ordinal", models.PositiveSmallIntegerField(verbose_name="number of the day")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "To be picked up"),
                            ("queued", "Being picked up"),
                            ("running", "Being picked up"),
                            ("handed_over", "Handed over"),
                            ("failed", "Pickup interrupted"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="open",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("listed", models.PositiveIntegerField(verbose_name="parcels listed")),
                ("made_at", models.DateTimeField(verbose_name="made")),
                (
                    "made_by",
                    _key(
                        settings.AUTH_USER_MODEL,
                        "made by",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                    ),
                ),
                ("cancelled_at", models.DateTimeField(null=True, verbose_name="cancelled")),
                ("picked_up_at", models.DateTimeField(null=True, verbose_name="picked up")),
                (
                    "picked_up_by",
                    _key(
                        settings.AUTH_USER_MODEL,
                        "picked up by",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                    ),
                ),
                ("first_id", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
                ("position", models.BigIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0, verbose_name="parcels looked at")),
                ("picked_up", models.PositiveIntegerField(default=0, verbose_name="parcels picked up")),
                ("cancelled", models.PositiveIntegerField(default=0, verbose_name="parcels cancelled")),
                ("missing", models.JSONField(default=list, verbose_name="missing")),
                ("extra", models.JSONField(default=list, verbose_name="not listed")),
                ("refused", models.JSONField(default=dict, verbose_name="refused")),
                (
                    "merchant_remark",
                    models.CharField(blank=True, max_length=500, verbose_name="merchant's remark"),
                ),
                (
                    "courier_remark",
                    models.CharField(blank=True, max_length=500, verbose_name="courier's remark"),
                ),
            ],
            options={
                "verbose_name": "manifest",
                "verbose_name_plural": "manifests",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["merchant", "-id"], name="manifest_by_merchant"),
                    models.Index(fields=["courier", "-id"], name="manifest_by_courier"),
                    models.Index(fields=["courier", "day", "-id"], name="manifest_by_courier_day"),
                    models.Index(
                        condition=models.Q(("courier_remark", ""), ("merchant_remark", ""), _negated=True),
                        fields=["made_at"],
                        name="manifest_remarked",
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["due_at"],
                        name="manifest_due",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["open", "queued", "running", "handed_over", "failed", "cancelled"],
                            )
                        ),
                        name="manifest_state_known",
                    ),
                    models.UniqueConstraint(
                        fields=("merchant", "courier", "origin", "pickup_address", "day", "ordinal"),
                        name="manifest_number_of_day",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
        # Only its merchant makes one; both sides write to it; nobody deletes it.
        row_policy(
            "parcels_manifest",
            merchant="merchant_id",
            courier="courier_id",
            instead={
                "insert": "{scope} = 'all' OR {scope} = 'merchant:' || merchant_id",
                "delete": None,
            },
        ),
        migrations.AddField(
            model_name="parcel",
            name="manifest_id",
            field=models.BigIntegerField(null=True, verbose_name="manifest"),
        ),
    ]
