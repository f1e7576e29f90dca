"""Deliveries of webhooks are divided by parcels on a cluster: the parcel's id is in their key."""

from typing import ClassVar

from django.db import migrations

from alliance.database.online_keys import AddParcelToKey


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"ban-drop-constraint": "the id alone is of no use to anybody"}
    atomic = False

    dependencies = [("parcels", "0034_webhooks")]

    operations = [AddParcelToKey("webhookdelivery")]
