"""Excuses are divided by parcels on a cluster: the parcel's id is in their key, and no key leads to a user."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from alliance.database.online_keys import AddParcelToKey


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"ban-drop-constraint": "a sequence keeps ids unique; users are never deleted"}
    atomic = False

    dependencies = [("slas", "0016_keys_with_parcels")]

    operations = [
        AddParcelToKey("excuse"),
        migrations.AlterField(
            "excuse",
            "claimed_by",
            models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="requested by",
            ),
        ),
        migrations.AlterField(
            "excuse",
            "decided_by",
            models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="decided by",
            ),
        ),
    ]
