import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import couriers.documents.files
import slas.exports.models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("alliance", "0004_keep_audit_entries"),
        ("slas", "0008_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="export",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="export",
            name="label",
            field=models.CharField(blank=True, max_length=160, verbose_name="by"),
        ),
        migrations.AddField(
            model_name="export",
            name="parts",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="export",
            name="position",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="export",
            name="with_fees",
            field=models.BooleanField(default=False, verbose_name="with fees"),
        ),
        migrations.AlterField(
            model_name="export",
            name="file",
            field=models.FileField(
                blank=True,
                max_length=160,
                storage=couriers.documents.files.private_storage,
                upload_to=slas.exports.models.export_name,
                verbose_name="file",
            ),
        ),
        migrations.AlterField(
            model_name="export",
            name="requested_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="requested by",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "running", "done", "failed", "expired"])),
                name="export_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(("first__lte", models.F("last"))), name="export_period_ordered"
            ),
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(
                condition=models.Q(("file", ""), _negated=True),
                fields=["state", "touched_at"],
                name="export_unfinished",
            ),
        ),
    ]
