"""Revisions, excuses and disruptions have no foreign keys to users, who are on the coordinator of a cluster alone."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def to_user(name: str, **options: bool) -> models.ForeignKey:
    return models.ForeignKey(
        db_constraint=False,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
        verbose_name=name,
        **options,
    )


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"ban-drop-constraint": "users are never deleted"}

    dependencies = [("slas", "0017_excuses_by_parcel")]

    operations = [
        migrations.AlterField("revision", "agreed_by", to_user("agreed by", blank=True)),
        migrations.AlterField("excuse", "claimed_by", to_user("requested by", blank=True)),
        migrations.AlterField("excuse", "decided_by", to_user("decided by", blank=True)),
        migrations.AlterField("disruption", "declared_by", to_user("declared by")),
    ]
