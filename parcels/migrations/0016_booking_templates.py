"""Templates of merchants' files, and files that wait for their columns to be named."""

from typing import ClassVar

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from alliance.tenancy import row_policy

STATES = ("draft", "queued", "running", "done", "failed", "cancelled")


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"ban-drop-constraint": "the new one takes what the old one took, and drafts"}
    dependencies = [("parcels", "0015_label_prints")]

    operations = [
        migrations.CreateModel(
            name="BookingTemplate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("columns", models.JSONField(default=list)),
                ("values", models.JSONField(default=dict)),
                ("takes_numbers", models.BooleanField(default=False)),
                ("one_row_each", models.BooleanField(default=False)),
                ("header_key", models.CharField(max_length=64)),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="booking_templates",
                        to="parcels.merchant",
                        verbose_name="merchant",
                    ),
                ),
            ],
            options={
                "verbose_name": "booking template",
                "verbose_name_plural": "booking templates",
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("merchant", "name"), name="booking_template_name_unique")
                ],
            },
        ),
        row_policy("parcels_bookingtemplate", merchant="merchant_id"),
        migrations.RemoveConstraint(model_name="bookingfile", name="booking_file_state_known"),
        migrations.AlterField(
            model_name="bookingfile",
            name="state",
            field=models.CharField(
                choices=[
                    ("draft", "Columns to name"),
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
        AddConstraintNotValid(
            model_name="bookingfile",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", list(STATES))), name="booking_file_state_known"
            ),
        ),
    ]
