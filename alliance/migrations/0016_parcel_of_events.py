"""Every event has a parcel id from here on: 0 if it is about no parcel.

The release before says NULL for those. A trigger writes 0 instead, while it serves; the next release drops it
(tests/alliance/database/test_placements.py says when).
"""

from django.db import migrations, models

TRIGGER = """
    CREATE FUNCTION alliance_event_of_no_parcel() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.parcel_id := 0;
        RETURN NEW;
    END $$;
    CREATE TRIGGER event_of_no_parcel BEFORE INSERT ON alliance_event
        FOR EACH ROW WHEN (NEW.parcel_id IS NULL) EXECUTE FUNCTION alliance_event_of_no_parcel();
"""
NO_TRIGGER = """
    DROP TRIGGER event_of_no_parcel ON alliance_event;
    DROP FUNCTION alliance_event_of_no_parcel();
"""


class Migration(migrations.Migration):
    dependencies = [("alliance", "0015_addresses_by_beginning")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "ALTER TABLE alliance_event ALTER COLUMN parcel_id SET DEFAULT 0",
                    "ALTER TABLE alliance_event ALTER COLUMN parcel_id DROP DEFAULT",
                ),
                migrations.RunSQL(TRIGGER, NO_TRIGGER),
            ],
            [
                # Django would write the rows and check them under one lock: the next migration does it beside
                # writers.
                migrations.AlterField(
                    "event", "parcel_id", models.BigIntegerField(db_default=0, verbose_name="parcel id")
                )
            ],
        )
    ]
