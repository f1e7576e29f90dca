from django.conf import settings
from django.db import migrations, models

import couriers.documents.files
import slas.excuses.models


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0005_excuse_claims_by_key"),
        ("couriers", "0005_grade"),
        ("slas", "0010_scorecards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="excuse",
            options={
                "permissions": [("decide_excuse", "Can decide on excuses")],
                "verbose_name": "exemption",
                "verbose_name_plural": "exemptions",
            },
        ),
        migrations.RemoveConstraint(
            model_name="excuse",
            name="excuse_decided_when_decided",
        ),
        migrations.AlterField(
            model_name="excuse",
            name="evidence",
            field=models.FileField(
                blank=True,
                max_length=120,
                storage=couriers.documents.files.private_storage,
                upload_to=slas.excuses.models.evidence_name,
                verbose_name="evidence",
            ),
        ),
        migrations.AlterField(
            model_name="excuse",
            name="state",
            field=models.CharField(
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
        migrations.AddIndex(
            model_name="excuse",
            index=models.Index(
                condition=models.Q(("state", "claimed")), fields=["courier"], name="excuse_waiting_courier"
            ),
        ),
        migrations.AddConstraint(
            model_name="excuse",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at", None), ("state__in", ["claimed", "withdrawn", "lapsed"])),
                    models.Q(
                        ("decided_at__isnull", False), ("state__in", ["granted", "declined", "revoked"])
                    ),
                    _connector="OR",
                ),
                name="excuse_decided_when_decided",
            ),
        ),
    ]
