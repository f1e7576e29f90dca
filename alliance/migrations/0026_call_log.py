"""The log of API calls: its table, and functions that make and drop the table of a day."""

from typing import Any, ClassVar

from django.db import migrations, models

from alliance.identifiers import EPOCH
from alliance.tenancy import row_policy

# 22 bits of an id are random: see alliance/call_log/rules.py.
_LOW = "((extract(epoch FROM {day}) * 1000)::bigint - {epoch}) << 22"

# Both run as the owner of the tables, whoever calls them, and take nothing but a day. The parent's policies do
# not apply to a table that is named itself: it shows nobody its rows, and takes those of whoever sees all.
MAKE_DAY = """
CREATE FUNCTION alliance_make_day(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    name text := 'alliance_apicall' || to_char(day, '"_d"YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE alliance_apicall INCLUDING ALL,'
        ' CHECK (id >= %s AND id < %s)) INHERITS (alliance_apicall)', name, {low}, {high});
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY %I ON %I FOR INSERT WITH CHECK'
        ' (nullif(current_setting(''alliance.scope'', true), '''') = ''all'')', name || '_insert', name);
EXCEPTION WHEN duplicate_table OR unique_violation THEN
    -- Another process has made it at the same time.
    RETURN;
END
$$
"""
DROP_DAY = """
CREATE FUNCTION alliance_drop_day(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF day >= (now() AT TIME ZONE 'UTC')::date - 1 THEN
        RAISE EXCEPTION 'the log of % is still written', day;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', 'alliance_apicall' || to_char(day, '"_d"YYYYMMDD'));
END
$$
"""


def make(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        [schema] = cursor.fetchone()
        epoch = int(EPOCH.timestamp() * 1000)
        low, high = (_LOW.format(day=day, epoch=epoch) for day in ("day", "(day + 1)"))
        cursor.execute(MAKE_DAY.format(schema=schema, low=low, high=high))
        cursor.execute(DROP_DAY.format(schema=schema))
        for function in ("alliance_make_day(date)", "alliance_drop_day(date)"):
            cursor.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")


def drop(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        # The days, which would keep their parent.
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'alliance_apicall'::regclass"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {table}")
        cursor.execute("DROP FUNCTION alliance_make_day(date)")
        cursor.execute("DROP FUNCTION alliance_drop_day(date)")


class Migration(migrations.Migration):
    lint_ignore: ClassVar[dict[str, str]] = {
        "python-in-migration": "it makes two functions, and nothing that is there is locked"
    }
    dependencies = [
        ("alliance", "0025_key_endings_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiCall",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("organisation_id", models.BigIntegerField(verbose_name="organisation")),
                ("api_key_id", models.BigIntegerField(verbose_name="API key id")),
                ("method", models.CharField(max_length=10, verbose_name="method")),
                ("path", models.CharField(max_length=300, verbose_name="path")),
                ("route", models.CharField(max_length=160, verbose_name="route")),
                ("status", models.SmallIntegerField(verbose_name="status")),
                ("duration_ms", models.IntegerField(verbose_name="duration")),
                ("request_id", models.CharField(max_length=64, verbose_name="request id")),
                ("problem", models.CharField(blank=True, max_length=60, verbose_name="problem")),
                ("body", models.JSONField(null=True, verbose_name="problem")),
                ("address", models.GenericIPAddressField(null=True, verbose_name="address")),
                ("stands_for", models.IntegerField(default=1)),
            ],
            options={
                "verbose_name": "API call",
                "verbose_name_plural": "API calls",
                "indexes": [
                    models.Index(fields=["organisation_id", "-id"], name="call_by_organisation"),
                    models.Index(fields=["api_key_id", "-id"], name="call_by_key"),
                    models.Index(
                        condition=models.Q(("status__gte", 400)),
                        fields=["organisation_id", "-id"],
                        name="call_failed",
                    ),
                    models.Index(fields=["organisation_id", "request_id"], name="call_by_request_id"),
                ],
            },
        ),
        row_policy(
            "alliance_apicall", merchant="organisation_id", courier="organisation_id", own_writes=False
        ),
        migrations.RunPython(make, drop),
    ]
