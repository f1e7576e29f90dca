"""Files of offers, which are checked before they are saved."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import alliance.file_jobs
from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("slas", "0008_watched_contradictions"), ("couriers", "0003_functions")]

    operations = [
        migrations.CreateModel(
            name="OfferFile",
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
                    "uploaded_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="uploaded"),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                (
                    "content",
                    models.FileField(max_length=300, upload_to="offer_files/%Y/%m", verbose_name="file"),
                ),
                ("encoding", models.CharField(max_length=12, verbose_name="encoding")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("checked", "Checked"),
                            ("done", "Saved"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("saves", models.BooleanField(default=False, verbose_name="being saved")),
                ("rows", models.PositiveIntegerField(verbose_name="rows")),
                ("done", models.PositiveIntegerField(default=0, verbose_name="rows done")),
                ("created", models.PositiveIntegerField(default=0, verbose_name="offers added")),
                ("changed", models.PositiveIntegerField(default=0, verbose_name="offers changed")),
                ("unchanged", models.PositiveIntegerField(default=0, verbose_name="offers unchanged")),
                ("rejected", models.PositiveIntegerField(default=0, verbose_name="rejected")),
                ("results_size", models.PositiveBigIntegerField(default=0)),
                ("rejected_size", models.PositiveBigIntegerField(default=0)),
                (
                    "courier",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offer_files",
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
            ],
            options={
                "verbose_name": "offer file",
                "verbose_name_plural": "offer files",
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["courier", "-id"], name="offer_file_by_courier")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["queued", "running", "checked", "done", "failed"])),
                        name="offer_file_state_known",
                    )
                ],
            },
        ),
        row_policy("slas_offerfile", courier="courier_id"),
    ]
