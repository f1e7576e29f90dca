"""Webhooks of one shop of several, webhooks that ops stopped, and ops' list of those that fail."""

from typing import ClassVar

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import migrations, models

import parcels.webhooks.rules


class Migration(migrations.Migration):
    atomic = False
    lint_ignore: ClassVar[dict[str, str]] = {
        "ban-drop-constraint": "It is made anew at once, with one more cause that the code before never writes."
    }

    dependencies = [
        ("parcels", "0036_shops"),
    ]

    operations = [
        migrations.AddField(
            model_name="webhookendpoint",
            name="reference_prefix",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=64, verbose_name="reference begins with"
            ),
        ),
        migrations.AlterField(
            model_name="webhookendpoint",
            name="code",
            field=models.CharField(
                default=parcels.webhooks.rules.new_code,
                editable=False,
                max_length=24,
                unique=True,
                verbose_name="id",
            ),
        ),
        migrations.AlterField(
            model_name="webhookendpoint",
            name="held_until",
            field=models.DateTimeField(null=True, verbose_name="held back until"),
        ),
        migrations.AlterField(
            model_name="webhookendpoint",
            name="cause",
            field=models.CharField(
                blank=True,
                choices=[
                    ("gone", "It answered 410 Gone."),
                    ("failing", "Every delivery failed for five days."),
                    ("stopped", "The alliance stopped it."),
                ],
                max_length=8,
                verbose_name="cause",
            ),
        ),
        AddIndexConcurrently(
            model_name="webhookendpoint",
            index=models.Index(
                condition=models.Q(("failing_since__isnull", False)), fields=["-id"], name="webhook_failing"
            ),
        ),
        migrations.RemoveConstraint(model_name="webhookendpoint", name="webhook_cause_of_disabled"),
        AddConstraintNotValid(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cause__in", ["gone", "failing", "stopped"]), ("state", "disabled")),
                    models.Q(models.Q(("state", "disabled"), _negated=True), ("cause", "")),
                    _connector="OR",
                ),
                name="webhook_cause_of_disabled",
            ),
        ),
    ]
