"""The tracking page's read is a stored statement now: see parcels/tracking/sql.py."""

from importlib import import_module

from django.db import migrations

_BEFORE: str = import_module("parcels.migrations.0016_tracked_parcel_by_ids").FORWARD


class Migration(migrations.Migration):
    dependencies = [("parcels", "0016_tracked_parcel_by_ids")]

    operations = [migrations.RunSQL("DROP FUNCTION tracked_parcel(bigint)", _BEFORE)]
