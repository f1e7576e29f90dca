"""What each scope sees and may change, on every node, is what the text of the policies says.

On one server there is one node. On a cluster each worker is asked, too, and each shard of tables by parcel.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any, NamedTuple

import psycopg2
import pytest
from django.db import connection
from django.test import override_settings

from alliance.database.cluster import is_distributed
from alliance.models import ApiKey, Organisation
from alliance.tenancy import SETTING, Scope, protected_tables, scope
from slas.models import ScoreRules, TierVersion
from tests.access import world

pytestmark = pytest.mark.django_db(transaction=True)

_CURRENT = re.compile(rf"NULLIF\(current_setting\('{SETTING}'::text, true\), ''::text\)")
_POLICIES = (
    "SELECT cmd, coalesce(qual, with_check) FROM pg_policies"
    " WHERE tablename = %s AND schemaname = current_schema()"
)
# Lets whoever asks a worker itself change a shard's own table.
_BY_HAND = "SET LOCAL citus.enable_manual_changes_to_shards = 'on'"
# Of a statement that a policy refuses.
_REFUSED = -1
_NODES = "SELECT nodename, nodeport FROM pg_dist_node ORDER BY groupid"
# Tables of this node's own files that are shards of others: their names end with the shard's number.
_SHARDS = """
    SELECT c.relname FROM pg_class c
    WHERE c.relname ~ ('^' || %s || '_[0-9]+$') AND c.relkind IN ('r', 'p') AND c.relrowsecurity
"""
# Functions with the owner's rights, but those that are looked through in tests/test_row_level_security.py.
_OF_THE_OWNER = """
    SELECT proname FROM pg_proc
    WHERE prosecdef AND pronamespace = current_schema()::regnamespace AND proname NOT IN (
        'alliance_ask_worker', 'alliance_drop_day', 'alliance_hold_shard', 'alliance_make_day',
        'alliance_make_month', 'alliance_organisations_named', 'alliance_users_named')
"""
# Tables that every role may read or write.
_FOR_EVERYBODY = """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relrowsecurity AND relacl::text ~ '[{,]=[a-z]'
"""
# What answers to any text, of each shard that is on the node.
_ROWS_OF_SHARDS = """
    SELECT p.proname, c.relname FROM pg_proc p
    JOIN pg_class c ON c.relname
        = 'parcels_parcel_' || substring(p.proname FROM '^alliance_rows_at_home_.*_([0-9]+)$')
    WHERE p.pronamespace = current_schema()::regnamespace AND c.relnamespace = p.pronamespace
"""


# A worker leaves the tables of shards out of its catalogue otherwise.
_SHOW_SHARDS = "-c citus.override_table_visibility=off"


class Node(NamedTuple):
    """A connection to a server, as the role that serves."""

    name: str
    connection: Any

    def ask(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def scope(self, value: str) -> Iterator[None]:
        """A transaction that is undone. The setting is alone in its message."""
        self.ask(f"SET LOCAL {SETTING} = '{value}'")
        try:
            yield
        finally:
            self.connection.rollback()

    def count(self, table: str, where: str = "true") -> int:
        [(found,)] = self.ask(f"SELECT count(*) FROM {table} WHERE {where}")
        return int(found)

    def changed(self, value: str, statement: str) -> int | None:
        """How many rows a statement would change in a scope; None if other rules forbid it."""
        with self.scope(value), self.connection.cursor() as cursor:
            try:
                if is_distributed():
                    cursor.execute(_BY_HAND)
                cursor.execute(statement)
            except psycopg2.Error as error:
                return _REFUSED if "row-level security" in str(error) else None
            return int(cursor.rowcount)


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    connection.ensure_connection()
    given = connection.get_connection_params()
    dsn = {name: given[name] for name in ("host", "port", "dbname", "user", "password") if name in given}
    places = [(dsn["host"], dsn["port"])]
    if is_distributed():
        with connection.cursor() as cursor:
            cursor.execute(_NODES)
            places = cursor.fetchall()
    connected = [
        Node(
            f"{host}:{port}", psycopg2.connect(**{**dsn, "host": host, "port": port, "options": _SHOW_SHARDS})
        )
        for host, port in places
    ]
    yield connected
    for node in connected:
        node.connection.close()


@pytest.fixture
def no_versions_left() -> Iterator[None]:
    """Delete the versions that the world announces: what migrations fill is not emptied after a test."""
    with scope(Scope.everything()):
        known = {model: [*model.objects.values_list("pk", flat=True)] for model in (ScoreRules, TierVersion)}
    yield
    with scope(Scope.everything()):
        for model, pks in known.items():
            model.objects.exclude(pk__in=pks).delete()


@pytest.fixture
def scopes(tmp_path: Any, no_versions_left: None) -> Iterator[list[str]]:
    """A world of two couriers and two merchants, and a scope of each kind."""
    with override_settings(**world.settings(tmp_path)):
        built = world.build()
        with scope(Scope.everything()):
            ids = dict(Organisation.objects.values_list("name", "pk"))
            prefix = ApiKey.objects.get(pk=built.things["courier_key"]).prefix
            users = Organisation.objects.get(pk=ids["Swift Express"]).members.values_list(
                "user_id", flat=True
            )
            user_id = users[0]
        yield [
            each.value
            for each in (
                Scope.courier(ids["Swift Express"]),
                Scope.merchant(ids["Lotus Tea"]),
                Scope.parcel(built.things["parcel_id"]),
                Scope.user(user_id),
                Scope.key(prefix),
                Scope.nothing(),
            )
        ]


@cache
def _conditions(node: Node, table: str, value: str) -> dict[str, str]:
    """Return command -> the condition of its policy, with the scope written into it."""
    with closing(node.connection.cursor()) as cursor:
        cursor.execute(_POLICIES, [table])
        found = dict(cursor.fetchall())
    literal = f"'{value}'::text" if value else "NULL::text"
    conditions = {command: _CURRENT.sub(literal, qual or "true") for command, qual in found.items()}
    assert not any(SETTING in condition for condition in conditions.values())
    return {command: conditions.get(command, "false") for command in ("SELECT", "INSERT", "UPDATE", "DELETE")}


def _tables(node: Node, table: str) -> list[str]:
    """Return a table and its shards on a node; none if the node doesn't know the table."""
    [(known,)] = node.ask("SELECT to_regclass(%s) IS NOT NULL", [table])
    shards = [name for (name,) in node.ask(_SHARDS, [table])]
    node.connection.rollback()
    return [table, *shards] if known else shards


def _compared(node: Node, table: str, policy_of: str, value: str) -> Iterator[tuple[str, int, int | None]]:
    """Yield command, how many rows the policy's text means, and how many the server takes."""
    conditions = _conditions(node, policy_of, value)
    meant = (
        conditions["SELECT"],
        f"({conditions['SELECT']}) AND ({conditions['UPDATE']})",
        conditions["DELETE"],
    )
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in meant)
    with node.scope("all"):
        [(rows, reads, updates, deletes)] = node.ask(f"SELECT count(*), {counts} FROM {table}")
        foreign = node.ask(
            f"SELECT to_json(t)::text FROM {table} t WHERE ({conditions['INSERT']}) IS NOT TRUE LIMIT 1"
        )
    with node.scope(value):
        yield "SELECT", reads, node.count(table)
    if not rows:
        return
    column = _plain_column(node, table)
    yield "UPDATE", updates, node.changed(value, f"UPDATE {table} SET {column} = {column}")
    yield "DELETE", deletes, node.changed(value, f"DELETE FROM {table}")
    for (row,) in foreign:
        copied = f"SELECT * FROM json_populate_record(NULL::{table}, {_literal(row)})"
        yield "INSERT", _REFUSED, node.changed(value, f"INSERT INTO {table} {copied} RETURNING 1")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def _plain_column(node: Node, table: str) -> str:
    """Return a column that may be set to what it is: a parcel's id says where a row is."""
    [(name,)] = node.ask(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attgenerated = '' AND attname NOT IN ('id', 'parcel_id') ORDER BY attnum DESC LIMIT 1",
        [table],
    )
    node.connection.rollback()
    return f'"{name}"'


def _sees_nothing_outside(node: Node) -> bool:
    """Tell whether a scope ends with a rollback, one to a savepoint, and a commit."""
    counts = []
    with node.scope("all"):
        counts.append(node.count("parcels_parcel") > 0)
    counts.append(node.count("parcels_parcel") == 0)
    node.ask("SAVEPOINT before")
    node.ask(f"SET LOCAL {SETTING} = 'all'")
    counts.append(node.count("parcels_parcel") > 0)
    node.ask("ROLLBACK TO SAVEPOINT before")
    counts.append(node.count("parcels_parcel") == 0)
    node.connection.rollback()
    node.ask(f"SET LOCAL {SETTING} = 'all'")
    counts.append(node.count("parcels_parcel") > 0)
    node.connection.commit()
    counts.append(node.count("parcels_parcel") == 0)
    node.connection.rollback()
    return all(counts)


def test_each_scope_gets_what_the_policies_say_on_every_node(scopes: list[str], nodes: list[Node]) -> None:
    with scope(Scope.everything()):
        tables = protected_tables()
    differences, asked, compared, seen = [], 0, 0, 0
    for node in nodes:
        assert _sees_nothing_outside(node)
        for name in tables:
            for table in _tables(node, name):
                for value in scopes:
                    asked += table == name
                    for command, meant, taken in _compared(node, table, name, value):
                        compared += taken is not None
                        seen += max(taken or 0, 0)
                        if taken not in (meant, None):
                            differences.append((node.name, table, value, command, meant, taken))
    assert differences == []
    # Most commands: ledgers and the like refuse to be changed by anybody.
    assert compared > 2 * asked
    # What is on the coordinator alone, no worker knows.
    assert asked >= len(tables) * len(scopes)
    assert seen > len(tables)


def test_functions_show_no_more_than_who_calls_them_sees(scopes: list[str], nodes: list[Node]) -> None:
    """A function of a shard may be called by whoever asks a worker itself, with any text."""
    called = 0
    for node in nodes:
        assert node.ask(_OF_THE_OWNER) == []
        assert node.ask(_FOR_EVERYBODY) == []
        for function, shard in node.ask(_ROWS_OF_SHARDS):
            for value in scopes:
                with node.scope(value):
                    [(told,)] = node.ask(
                        f"SELECT told FROM {function}(1, 'SELECT count(*) AS n FROM {shard}', '{{}}')"
                    )
                    assert told == f'{{"n":{node.count(shard)}}}'
                    called += 1
        node.connection.rollback()
    assert called >= len(scopes) or not is_distributed()
