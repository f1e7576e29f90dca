"""Excuses are divided by parcels on a cluster: the parcel's id is in their key."""

from typing import ClassVar

from django.db import migrations

from alliance.database.online_keys import AddParcelToKey


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"ban-drop-constraint": "a sequence keeps ids unique"}
    atomic = False

    dependencies = [("slas", "0016_keys_with_parcels")]

    operations = [AddParcelToKey("excuse")]
