"""Events: their parcel's id is NOT NULL and in their key, and an index gives them in the order of time.

The table is huge. Nothing here holds a lock while it reads rows, and all of it may be interrupted and called
again.
"""

from typing import Any, ClassVar

from django.db import migrations
from django.db.models import Index

from alliance.database.online_indexes import AddIndexConcurrently
from alliance.database.online_keys import AddParcelToKey
from alliance.tenancy import Scope, raw_rows, scope

# Ids a transaction.
SLICE = 50_000
# Not by UPDATE: a parcel's id says where a row is, and no statement changes it.
NUMBER = """
    WITH taken AS (
        DELETE FROM alliance_event WHERE parcel_id IS NULL AND id >= %s AND id < %s RETURNING *
    )
    INSERT INTO alliance_event (id, topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT id, topic, at, merchant_id, courier_id, 0, payload FROM taken
    RETURNING 1
"""
KNOWN = [
    "ALTER TABLE alliance_event DROP CONSTRAINT IF EXISTS event_parcel_known,"
    " ADD CONSTRAINT event_parcel_known CHECK (parcel_id IS NOT NULL) NOT VALID",
    "ALTER TABLE alliance_event VALIDATE CONSTRAINT event_parcel_known",
    "ALTER TABLE alliance_event ALTER COLUMN parcel_id SET NOT NULL",
    "ALTER TABLE alliance_event DROP CONSTRAINT event_parcel_known",
]


def number_events_of_no_parcel(apps: Any, editor: Any) -> None:
    with scope(Scope.everything()):
        [(first, last)] = raw_rows("SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM alliance_event")
    for start in range(first, last + 1, SLICE):
        with scope(Scope.everything()):
            raw_rows(NUMBER, [start, start + SLICE])


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {
        "python-in-migration": "changes the few rows about no parcel, in slices",
        "ban-drop-constraint": "NOT NULL says what the check said, and sequences keep ids unique",
    }
    atomic = False

    dependencies = [("alliance", "0016_parcel_of_events")]

    operations = [
        migrations.RunPython(number_events_of_no_parcel, migrations.RunPython.noop, atomic=False),
        # SET NOT NULL believes the check, and reads no row.
        migrations.RunSQL(KNOWN, "ALTER TABLE alliance_event ALTER COLUMN parcel_id DROP NOT NULL"),
        AddParcelToKey("event"),
        AddIndexConcurrently("event", Index(fields=["at"], name="event_by_time")),
    ]
