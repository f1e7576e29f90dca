"""Webhooks: endpoints and their secrets, deliveries, figures and replays."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import alliance.file_jobs
import parcels.webhooks.rules
from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0023_key_capabilities"),
        ("parcels", "0033_pickup_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("parcel_id", models.BigIntegerField(verbose_name="parcel id")),
                ("endpoint_id", models.BigIntegerField(verbose_name="webhook")),
                ("organisation_id", models.BigIntegerField(verbose_name="organisation")),
                ("topic", models.CharField(max_length=40, verbose_name="event")),
                ("at", models.DateTimeField(verbose_name="at")),
                ("sequence", models.BigIntegerField(verbose_name="sequence")),
                ("payload", models.JSONField(default=dict, verbose_name="content")),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Waiting"), ("delivered", "Delivered"), ("failed", "Given up")],
                        db_default="pending",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("due_at", models.DateTimeField(null=True, verbose_name="next attempt")),
                ("attempts", models.PositiveIntegerField(db_default=0, verbose_name="attempts")),
                ("tries", models.PositiveSmallIntegerField(db_default=0)),
                ("attempted_at", models.DateTimeField(null=True, verbose_name="last attempt")),
                (
                    "log",
                    models.JSONField(db_default=models.Value([], models.JSONField()), verbose_name="log"),
                ),
            ],
            options={
                "verbose_name": "webhook delivery",
                "verbose_name_plural": "webhook deliveries",
                "ordering": ["-at", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)),
                        fields=["endpoint_id", "due_at"],
                        name="webhook_delivery_due",
                    ),
                    models.Index(
                        fields=["parcel_id", "endpoint_id", "sequence"], name="webhook_delivery_order"
                    ),
                    models.Index(fields=["endpoint_id", "-at", "-id"], name="webhook_delivery_list"),
                    models.Index(
                        condition=models.Q(("state", "delivered"), _negated=True),
                        fields=["endpoint_id", "state", "at"],
                        name="webhook_delivery_open",
                    ),
                    django.contrib.postgres.indexes.BrinIndex(
                        fields=["at"], name="webhook_delivery_by_time", pages_per_range=32
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "delivered", "failed"])),
                        name="webhook_delivery_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("due_at__isnull", True), ("state", "pending"), _connector="OR"),
                        name="webhook_delivery_due_is_pending",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        default=parcels.webhooks.rules.new_code, editable=False, max_length=24, unique=True
                    ),
                ),
                ("url", models.CharField(max_length=500, verbose_name="address")),
                ("description", models.CharField(blank=True, max_length=120, verbose_name="description")),
                (
                    "topics",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), size=None, verbose_name="events"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("paused", "Paused"), ("disabled", "Switched off")],
                        default="active",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("gone", "It answered 410 Gone."),
                            ("failing", "Every delivery failed for five days."),
                        ],
                        max_length=8,
                        verbose_name="cause",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                (
                    "listens_from",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="events since"),
                ),
                ("stopped_at", models.DateTimeField(null=True, verbose_name="stopped")),
                ("next_due_at", models.DateTimeField(null=True, verbose_name="next attempt")),
                ("leased_until", models.DateTimeField(null=True)),
                ("lease", models.BigIntegerField(default=0)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("failing_since", models.DateTimeField(null=True, verbose_name="failing since")),
                ("held_until", models.DateTimeField(null=True)),
                ("warned", models.PositiveSmallIntegerField(default=0)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook",
                "verbose_name_plural": "webhooks",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="WebhookHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("organisation_id", models.BigIntegerField()),
                ("hour", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("delivered", models.PositiveIntegerField(default=0)),
                (
                    "bins",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveIntegerField(), size=None
                    ),
                ),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hours",
                        to="parcels.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook figures",
                "verbose_name_plural": "webhook figures",
            },
        ),
        migrations.CreateModel(
            name="WebhookReplay",
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
                    "requested_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested at"),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("missing", "What was not delivered"), ("all", "Everything")],
                        max_length=8,
                        verbose_name="what",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "In the queue"),
                            ("running", "Being prepared"),
                            ("failed", "Interrupted"),
                            ("done", "Handed to delivery"),
                        ],
                        default="queued",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("position", models.DateTimeField(verbose_name="prepared until")),
                ("done", models.PositiveBigIntegerField(default=0, verbose_name="deliveries")),
                (
                    "endpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="parcels.webhookendpoint",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
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
            ],
            options={
                "verbose_name": "replay of webhooks",
                "verbose_name_plural": "replays of webhooks",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="WebhookSecret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sealed", models.TextField()),
                ("ending", models.CharField(max_length=4)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "endpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="secrets",
                        to="parcels.webhookendpoint",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook secret",
                "verbose_name_plural": "webhook secrets",
            },
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=models.Index(fields=["organisation", "-id"], name="webhook_by_organisation"),
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=models.Index(
                condition=models.Q(("state", "active")), fields=["next_due_at"], name="webhook_due"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=models.Index(
                condition=models.Q(("leased_until__isnull", False)),
                fields=["leased_until"],
                name="webhook_leased",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "paused", "disabled"])),
                name="webhook_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cause__in", ["gone", "failing"]), ("state", "disabled")),
                    models.Q(models.Q(("state", "disabled"), _negated=True), ("cause", "")),
                    _connector="OR",
                ),
                name="webhook_cause_of_disabled",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("topics", []), _negated=True), name="webhook_has_topics"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookhour",
            constraint=models.UniqueConstraint(fields=("endpoint", "hour"), name="webhook_hour_once"),
        ),
        migrations.AddIndex(
            model_name="webhookreplay",
            index=models.Index(
                condition=models.Q(("state__in", ["queued", "running"])),
                fields=["due_at"],
                name="webhook_replay_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookreplay",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "running", "failed", "done"])),
                name="webhook_replay_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookreplay",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["missing", "all"])), name="webhook_replay_kind_known"
            ),
        ),
        row_policy("parcels_webhookdelivery", merchant="organisation_id", courier="organisation_id"),
        row_policy("parcels_webhookendpoint", merchant="organisation_id", courier="organisation_id"),
        row_policy("parcels_webhookhour", merchant="organisation_id", courier="organisation_id"),
        row_policy("parcels_webhookreplay", merchant="organisation_id", courier="organisation_id"),
        row_policy("parcels_webhooksecret", merchant="organisation_id", courier="organisation_id"),
    ]
