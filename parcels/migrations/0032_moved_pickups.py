"""Agreed windows that are asked to be moved, what was missed, and what was taken off a manifest."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0031_cancelled_returns"),
    ]

    operations = [
        migrations.AddField(
            model_name="manifest",
            name="removed",
            field=models.JSONField(db_default=[], default=list, verbose_name="taken off"),
        ),
        migrations.AddField(
            model_name="pickup",
            name="missed",
            field=models.PositiveIntegerField(null=True, verbose_name="parcels missed"),
        ),
        migrations.AddField(
            model_name="pickup",
            name="move_asked_by",
            field=models.CharField(
                blank=True,
                choices=[("courier", "Courier company"), ("merchant", "Merchant")],
                db_default="",
                default="",
                max_length=8,
                verbose_name="move asked for by",
            ),
        ),
        migrations.AddField(
            model_name="pickup",
            name="move_note",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=300, verbose_name="note on the move"
            ),
        ),
        AddConstraintNotValid(
            model_name="pickup",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("move_asked_by", ""),
                    models.Q(
                        ("move_asked_by__in", ["courier", "merchant"]),
                        ("proposed_starts_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="pickup_move_has_window",
            ),
        ),
    ]
