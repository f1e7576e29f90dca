"""The parcel's id is in the primary key of every table that is divided by parcels on a cluster."""

from typing import ClassVar

from django.db import migrations

from alliance.database.online_keys import AddParcelToKey


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"ban-drop-constraint": "sequences keep ids unique"}
    atomic = False

    dependencies = [("slas", "0015_parcel_of_tallies")]

    operations = [
        AddParcelToKey("tally"),
        AddParcelToKey("progresstally"),
        AddParcelToKey("creditcheck"),
        AddParcelToKey("creditentry"),
        AddParcelToKey("revision"),
        AddParcelToKey("watchitem"),
    ]
