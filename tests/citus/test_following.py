"""What later releases do to a database that is distributed: columns, indexes, tables, months."""

from collections.abc import Iterator

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from alliance.database import placements
from alliance.database.distribution import access, coordinator, following, tables
from alliance.database.distribution.nodes import json_of_nodes
from alliance.database.distribution.tables import Kind
from alliance.database.online_indexes import AddIndexConcurrently, AddIndexToMonths
from alliance.database.online_keys import AddParcelToKey
from alliance.database.owner import as_owner
from alliance.database.partitions import (
    CreatePartitionedModel,
    Month,
    detach_month,
    drop_detached,
    ensure_months,
    months_of,
    partitioned_tables,
)
from alliance.database.together import PLANNED_BY_CITUS
from alliance.tenancy import raw_rows

pytestmark = pytest.mark.django_db(transaction=True)

ID = ("id", models.BigAutoField(primary_key=True))
PARCEL_ID = ("parcel_id", models.BigIntegerField())
BY = ("by", models.ForeignKey("alliance.User", models.PROTECT, null=True))
COLUMNS: list[tuple[Operation, bool]] = [
    (migrations.AddField("commitment", "note", models.CharField(max_length=20, null=True)), True),
    (migrations.AddField("commitment", "mood", models.CharField(max_length=20, db_default="")), True),
    (migrations.AlterField("commitment", "mood", models.CharField(max_length=30, db_default="")), True),
    (
        AddConstraintNotValid(
            "commitment", models.CheckConstraint(condition=~models.Q(mood="grim"), name="not_grim")
        ),
        True,
    ),
    (ValidateConstraint("commitment", "not_grim"), True),
    (AddIndexToMonths("commitment", models.Index(fields=["mood"], name="moods")), False),
    (AddIndexConcurrently("watchitem", models.Index(fields=["parcel_id"], name="watched")), False),
]
TIER = models.ForeignKey("slas.ServiceTier", models.PROTECT, null=True)
# Keys, checks, indexes and policies.
DESCRIBED = """
    SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = 'slas_note'::regclass AND contype <> 'n'
    UNION ALL SELECT 'index', pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'slas_note'::regclass
    UNION ALL SELECT policyname::text, concat_ws(' ', cmd, qual, with_check) FROM pg_policies
    WHERE tablename = 'slas_note'
    UNION ALL SELECT 'policies', concat(relrowsecurity, relforcerowsecurity) FROM pg_class
    WHERE oid = 'slas_note'::regclass
    ORDER BY 1, 2
"""
POLICY = """
    -- A release's script has several statements; and a semicolon in a comment.
    CREATE FUNCTION test_own(id bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT id > 0; $$;
    ALTER TABLE slas_note ENABLE ROW LEVEL SECURITY;
    ALTER TABLE slas_note FORCE ROW LEVEL SECURITY;
    CREATE POLICY note_own ON slas_note USING (test_own(parcel_id))
"""


class Releases:
    """Runs operations as `migrate` does, each as a migration of its own, and takes them back at the end."""

    def __init__(self) -> None:
        self.state = MigrationLoader(None).project_state()
        self.done: list[tuple[Operation, bool, ProjectState, ProjectState]] = []

    def run(self, operation: Operation, *, is_atomic: bool = True) -> None:
        after = self.state.clone()
        operation.state_forwards("slas", after)
        with as_owner(), connection.schema_editor(atomic=is_atomic) as editor:
            operation.database_forwards("slas", editor, self.state, after)
        self.done.append((operation, is_atomic, self.state, after))
        self.state = after

    def take_back(self) -> None:
        for operation, is_atomic, before, after in reversed(self.done):
            if operation.reversible:
                with as_owner(), connection.schema_editor(atomic=is_atomic) as editor:
                    operation.database_backwards("slas", editor, after, before)


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    monkeypatch.setitem(placements.BY_PARCEL, "slas_note", "parcel_id")
    monkeypatch.setitem(placements.BY_PARCEL, "slas_mark", "parcel_id")
    placements.REFERENCE.append("slas_sort")
    made = Releases()
    yield made
    placements.REFERENCE.remove("slas_sort")
    made.take_back()


def kind_of(table: str) -> Kind | None:
    with as_owner():
        return tables.kinds().get(table)


def test_columns_constraints_and_indexes_reach_every_shard(releases: Releases) -> None:
    for operation, is_atomic in COLUMNS:
        releases.run(operation, is_atomic=is_atomic)
    statement = """
        SELECT json_build_object(
            'shards', count(*), 'columns', count(*) FILTER (WHERE EXISTS (
                SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attname = 'mood')),
            'indexes', count(*) FILTER (WHERE EXISTS (
                SELECT 1 FROM pg_index JOIN pg_class i ON i.oid = indexrelid
                WHERE indrelid = c.oid AND i.relname LIKE '%moods%' AND indisvalid)))::text
        FROM pg_class c WHERE relkind = 'r' AND relname ~ '^slas_commitment_y[0-9]+m[0-9]+_[0-9]+$'
    """
    with as_owner():
        found = [answer for _node, answer in json_of_nodes(statement) if answer["shards"]]
    assert found
    for answer in found:
        assert answer["shards"] == answer["columns"] == answer["indexes"]


def test_new_tables_go_where_they_belong_with_keys_months_and_policies(releases: Releases) -> None:
    sort = ("sort", models.ForeignKey("slas.Sort", models.PROTECT))
    key = ("pk", models.CompositePrimaryKey("parcel_id", "sort"))
    releases.run(
        migrations.CreateModel("Sort", [ID, ("name", models.CharField(max_length=9, unique=True)), BY])
    )
    releases.run(migrations.CreateModel("Note", [key, PARCEL_ID, sort, BY]))
    mark = [
        ("pk", models.CompositePrimaryKey("parcel_id", "code")),
        PARCEL_ID,
        ("code", models.CharField(max_length=9)),
    ]
    releases.run(CreatePartitionedModel("Mark", mark))
    releases.run(migrations.RunSQL(POLICY, "DROP FUNCTION test_own(bigint) CASCADE"))
    assert kind_of("slas_sort") is Kind.REFERENCE
    assert kind_of("slas_note") is kind_of("slas_mark") is Kind.BY_PARCEL
    ensure_months(Month(2026, 11), Month(2026, 11))
    assert months_of("slas_mark") == ["y2026m11"]
    with as_owner():
        before = access.require_alike_policies()
        following.follow()
        assert access.require_alike_policies() == before


def test_a_key_between_the_coordinator_and_other_nodes_is_left_out(releases: Releases) -> None:
    name = ("name", models.CharField(max_length=9))
    city = models.ForeignKey("alliance.City", models.PROTECT)
    releases.run(migrations.CreateModel("Paper", [ID, name, ("city", city)]))
    releases.run(migrations.AddField("Paper", *BY))
    releases.run(
        migrations.AddField("Paper", "place", models.ForeignKey("alliance.City", models.PROTECT, null=True))
    )
    with as_owner():
        keys = raw_rows(
            "SELECT confrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = 'slas_paper'::regclass"
        )
        assert coordinator.crossing_keys() == []
    # What is on the coordinator, too, is tied to it.
    assert keys == [("alliance_user",)]
    assert kind_of("slas_paper") is kind_of("alliance_user") is None
    releases.run(migrations.RemoveField("Paper", "city"))


def test_citus_has_one_table_of_the_coordinator() -> None:
    with as_owner():
        found = tables.kinds()
    assert {table for table, kind in found.items() if kind is Kind.MANAGED} == {PLANNED_BY_CITUS}
    assert not found.keys() & {*placements.LOCAL} - {PLANNED_BY_CITUS}


def test_a_table_that_was_on_every_node_is_divided_with_all_that_belongs_to_it(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(placements.BY_PARCEL, "slas_note")
    placements.REFERENCE.append("slas_note")
    key = models.UniqueConstraint(
        fields=["parcel_id", "text"], condition=~models.Q(text=""), name="said_once"
    )
    text = models.CheckConstraint(condition=~models.Q(text="none"), name="not_none")
    fields = [ID, PARCEL_ID, ("text", models.CharField(max_length=9)), ("tier", TIER)]
    releases.run(migrations.CreateModel("Note", fields, options={"constraints": [key, text]}))
    in_key = AddParcelToKey("note")
    # At the end, the table is by parcel.
    in_key.reversible = False
    releases.run(in_key, is_atomic=False)
    releases.run(migrations.RunSQL(POLICY, "DROP FUNCTION test_own(bigint) CASCADE"))
    assert kind_of("slas_note") is Kind.REFERENCE
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO slas_note (parcel_id, text) SELECT n, 'n' || n FROM generate_series(1, 50) n"
        )
        cursor.execute(DESCRIBED)
        described = cursor.fetchall()
        placements.REFERENCE.remove("slas_note")
        monkeypatch.setitem(placements.BY_PARCEL, "slas_note", "parcel_id")
        following.place_misplaced()
        cursor.execute(DESCRIBED)
        assert cursor.fetchall() == described
        cursor.execute("INSERT INTO slas_note (parcel_id, text) VALUES (7, 'again') RETURNING id")
        assert cursor.fetchone() == (51,)
        cursor.execute("SELECT sum(parcel_id), count(DISTINCT text) FROM slas_note")
        assert cursor.fetchone() == (50 * 51 // 2 + 7, 51)
        access.require_alike_policies()
    assert kind_of("slas_note") is Kind.BY_PARCEL


def test_months_are_made_with_storage_and_policies_and_leave() -> None:
    month = Month(2025, 1)
    ensure_months(month, month)
    with as_owner():
        access.require_alike_policies()
    statement = r"""
        SELECT coalesce(json_object_agg(relname, reloptions), '{}')::text FROM pg_class
        WHERE relkind = 'r' AND relname ~ '^slas_commitment_y2025m01_\d+$'
    """
    with as_owner():
        options = [found for _node, answer in json_of_nodes(statement) for found in answer.values()]
    assert options
    assert all("fillfactor=85" in found for found in options)
    for table in partitioned_tables():
        detach_month(table, month)
        drop_detached(table, month)
        assert month.suffix not in months_of(table)
