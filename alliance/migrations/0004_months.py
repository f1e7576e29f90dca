"""A function by which the server's role, which owns no table, makes the months of the partitioned ones."""

from typing import Any

from django.db import migrations

from alliance.identifiers import EPOCH, RANDOM_BITS

# Runs as the owner of the tables, whoever calls it. It takes a table that is partitioned, the first day of a
# month and storage parameters, and no SQL. ATTACH takes a lock that does not block writers of the parent;
# CREATE ... PARTITION OF blocks them. ATTACH scans the month for rows outside its range, but a new month is
# empty. The parent's policies do not apply to a partition that is queried directly: row-level security without
# a policy of its own hides all of its rows.
MAKE_MONTH = """
CREATE FUNCTION alliance_make_month(parent text, first_day date, storage text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    name text := parent || to_char(first_day, '"_y"YYYY"m"MM');
    low bigint := (extract(epoch FROM first_day) * 1000)::bigint - {epoch} << {random_bits};
    high bigint := (extract(epoch FROM (first_day + interval '1 month')::date) * 1000)::bigint
        - {epoch} << {random_bits};
BEGIN
    IF first_day <> date_trunc('month', first_day) OR NOT EXISTS (
        SELECT 1 FROM pg_class
        WHERE relname = parent AND relkind = 'p' AND relnamespace = '{schema}'::regnamespace
    ) THEN
        RAISE EXCEPTION 'no month % of %', first_day, parent;
    END IF;
    IF storage !~ '^[a-z_]+ = [0-9.-]+(, [a-z_]+ = [0-9.-]+)*$' AND storage <> '' THEN
        RAISE EXCEPTION 'no storage parameters: %', storage;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
        name, parent);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    IF storage <> '' THEN
        EXECUTE format('ALTER TABLE %I SET (%s)', name, storage);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, name, low, high);
END
$$
"""


def make(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        [schema] = cursor.fetchone()
        epoch = int(EPOCH.timestamp() * 1000)
        cursor.execute(MAKE_MONTH.format(schema=schema, epoch=epoch, random_bits=RANDOM_BITS))
        cursor.execute("REVOKE EXECUTE ON FUNCTION alliance_make_month(text, date, text) FROM PUBLIC")


def drop(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("DROP FUNCTION alliance_make_month(text, date, text)")


class Migration(migrations.Migration):
    dependencies = [("alliance", "0003_seeds")]

    operations = [migrations.RunPython(make, drop)]
