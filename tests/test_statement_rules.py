"""The rules for statements: one text breaks each, another keeps it; stored functions and migrations do."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import connections
from django.db.migrations import RunSQL
from django.db.migrations.loader import MigrationLoader
from pglast import parser

from alliance.database.postgresql.messages import Settings
from alliance.tenancy import Scope, raw_rows, rows_in, scope
from tests.helpers.statement_rules import watching
from tests.helpers.statement_rules.exceptions import FIRST_SCHEMA, is_at_home
from tests.helpers.statement_rules.rules import faults_of, placed

# Rule -> statements that break it, and those that say the same and keep it.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "settings": (
        ["SET LOCAL enable_sort = off; SELECT 1"],
        ["SET LOCAL enable_sort = off", "SELECT 1; SELECT 2"],
    ),
    "schema-alone": (
        ["ALTER TABLE slas_offer ADD a int; ALTER TABLE slas_offer ADD b int"],
        ["ALTER TABLE slas_offer ADD a int"],
    ),
    "row-locks": (
        [
            "SELECT 1 FROM parcels_parcel WHERE id = ANY($1) FOR UPDATE",
            "WITH l AS (SELECT id FROM parcels_parcel LIMIT 5 FOR NO KEY UPDATE) SELECT 1 FROM l",
            "SELECT 1 FROM slas_commitment c JOIN keys k ON c.parcel_id = k.id FOR SHARE OF c",
            "SELECT 1 FROM parcels_parcel WHERE id = $1 OR id = $2 FOR UPDATE",
        ],
        [
            "SELECT 1 FROM parcels_parcel WHERE id = $1 AND status = 'booked' FOR UPDATE",
            "SELECT 1 FROM slas_commitment c WHERE c.parcel_id = 7::bigint AND kind = 'delivery' FOR UPDATE",
            "SELECT 1 FROM slas_offer FOR UPDATE",
        ],
    ),
    "insert-select": (
        [
            "INSERT INTO alliance_event (parcel_id) SELECT * FROM unnest($1::bigint[])",
            "WITH x AS (INSERT INTO parcels_scan (parcel_id) SELECT 1) SELECT 1",
        ],
        [
            "INSERT INTO alliance_event (parcel_id) SELECT * FROM unnest($1::bigint[]) RETURNING 1",
            "INSERT INTO slas_breach (parcel_id) SELECT 1 ON CONFLICT DO NOTHING",
            "INSERT INTO alliance_event (parcel_id) VALUES (1), (2)",
            "INSERT INTO slas_offer (id) SELECT 1",
        ],
    ),
    "empty-list": (
        ["SELECT EXISTS (SELECT FROM parcels_parcel)", "SELECT 1 WHERE NOT EXISTS (SELECT FROM slas_offer)"],
        ["SELECT EXISTS (SELECT 1 FROM parcels_parcel)", "VALUES (1)"],
    ),
    "mixed-join": (
        [
            "SELECT 1 FROM parcels_parcel p JOIN slas_offer o ON o.courier_id = p.courier_id",
            "UPDATE parcels_parcel p SET status = '' FROM slas_offer o WHERE o.id = p.offer_id",
            "SELECT 1 FROM slas_tally p WHERE EXISTS (SELECT 1 FROM slas_offer o WHERE o.id = p.offer_id)",
            "SELECT 1 FROM slas_breach_listing b JOIN alliance_organisation o ON o.id = b.merchant_id",
        ],
        [
            "SELECT 1 FROM parcels_parcel p JOIN alliance_city c ON c.id = p.origin_id",
            "WITH o AS MATERIALIZED (SELECT * FROM slas_offer) SELECT 1 FROM parcels_parcel p JOIN o ON true",
            "SELECT 1 FROM parcels_parcel p WHERE p.offer_id IN (SELECT o.id FROM slas_offer o)",
            "INSERT INTO slas_ontimerate (kind) SELECT kind FROM slas_commitment",
        ],
    ),
    "loose-join": (
        [
            "SELECT 1 FROM parcels_parcel p JOIN slas_commitment c ON c.parcel_id + 0 = p.id",
            "SELECT 1 FROM parcels_parcel p, slas_commitment c WHERE c.courier_id = p.courier_id",
            "SELECT 1 FROM slas_breach b WHERE EXISTS (SELECT 1 FROM parcels_scan s WHERE s.at > b.due_at)",
        ],
        [
            "SELECT 1 FROM parcels_parcel p JOIN slas_commitment c ON c.parcel_id = p.id",
            "SELECT 1 FROM slas_commitment c JOIN slas_breach b USING (parcel_id, kind)",
            "SELECT 1 FROM parcels_parcel p, slas_commitment c WHERE p.id = $1 AND c.parcel_id = $1",
            "SELECT 1 FROM slas_breach b"
            " WHERE NOT EXISTS (SELECT 1 FROM parcels_scan s WHERE s.parcel_id = b.parcel_id)",
        ],
    ),
    "lateral": (
        [
            "SELECT 1 FROM slas_commitment c CROSS JOIN LATERAL"
            " (SELECT 1 FROM parcels_parcel p WHERE p.id = c.parcel_id OFFSET 0) x",
            "SELECT 1 FROM unnest($1::bigint[]) k (id) CROSS JOIN LATERAL"
            " (SELECT 1 FROM parcels_parcel p WHERE p.id = k.id ORDER BY id LIMIT 1) x",
        ],
        [
            "SELECT 1 FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id",
            "SELECT 1 FROM unnest($1::bigint[]) k CROSS JOIN LATERAL"
            " (SELECT 1 FROM parcels_parcel p WHERE p.id = k) x",
        ],
    ),
    "correlated": (
        [
            "SELECT 1 FROM slas_closure c"
            " WHERE EXISTS (SELECT 1 FROM parcels_parcel p WHERE p.origin_id = c.city_id)",
            "WITH x AS MATERIALIZED (SELECT id FROM parcels_parcel) SELECT 1 FROM x"
            " WHERE EXISTS (SELECT 1 FROM slas_commitment c WHERE c.parcel_id = x.id)",
            "SELECT (SELECT 1 FROM parcels_parcel p WHERE p.id = k.id) FROM unnest($1::bigint[]) k (id)",
        ],
        [
            "WITH x AS (SELECT 1 AS id) SELECT 1 FROM x JOIN parcels_parcel p ON p.id = x.id",
            "WITH x AS (SELECT 1 AS id) SELECT 1 FROM parcels_parcel p"
            " WHERE EXISTS (SELECT 1 FROM x WHERE x.id = p.id)",
            "WITH x AS (SELECT parcel_id FROM slas_commitment) SELECT 1 FROM x"
            " WHERE 5 > (SELECT count(*) FROM slas_tally t WHERE t.parcel_id = x.parcel_id)"
            " AND EXISTS (SELECT 1 FROM parcels_parcel p WHERE p.id = x.parcel_id)",
        ],
    ),
    "row-not-in": (
        ["DELETE FROM slas_progress WHERE (tier_id, due_date) NOT IN (SELECT 1, now()::date)"],
        [
            "DELETE FROM slas_progress p WHERE NOT EXISTS (SELECT 1 FROM x WHERE x.id = p.tier_id)",
            "SELECT 1 WHERE (1, 2) IN (SELECT 1, 2)",
        ],
    ),
    "system-column": (
        [
            "SELECT tableoid::regclass FROM parcels_parcel_y2026m11",
            "DELETE FROM alliance_event WHERE ctid = ANY(ARRAY(SELECT ctid FROM alliance_event))",
        ],
        ["SELECT tableoid::regclass FROM slas_offer"],
    ),
    "moved-row": (
        ["UPDATE slas_breach SET parcel_id = 7 WHERE parcel_id = 8"],
        ["UPDATE slas_breach SET kind = 'pickup' WHERE parcel_id = 8"],
    ),
    "set-config": (
        ["SELECT set_config('alliance.scope', 'all', true)"],
        ["SELECT current_setting('alliance.scope', true)"],
    ),
}


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule in CASES for text in CASES[rule][0]])
def test_a_statement_that_breaks_a_rule_is_told_which(rule: str, text: str) -> None:
    assert rule in {fault.rule for fault in faults_of(text)}


@pytest.mark.parametrize("text", [text for broken, kept in CASES.values() for text in kept])
def test_a_statement_that_keeps_all_rules_is_let_through(text: str) -> None:
    assert faults_of(text) == []


def test_the_drivers_placeholders_are_read() -> None:
    text = "SELECT 5 %% 2 FROM parcels_parcel WHERE id = %(parcel)s AND status LIKE %s FOR UPDATE"
    assert placed(text) == "SELECT 5 % 2 FROM parcels_parcel WHERE id = $1 AND status LIKE $1 FOR UPDATE"
    assert faults_of(placed(text)) == []


@pytest.fixture
def as_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the statements of this file judged as if the product had sent them."""
    monkeypatch.setattr(watching, "_OTHERS", ())
    monkeypatch.setattr(watching, "PACKAGES", ("tests",))


@pytest.mark.django_db
def test_a_statement_of_the_product_is_refused_before_it_is_sent(as_product: None) -> None:
    with scope(Scope.everything()):
        for _twice in range(2):
            with pytest.raises(AssertionError, match="row-locks.*\n.*FOR UPDATE"):
                raw_rows("SELECT 1 FROM parcels_parcel FOR UPDATE")
            [said] = watching.broken()
            assert said.startswith("tests/test_statement_rules.py:")
        assert raw_rows("SELECT 2") == [(2,)]


@pytest.mark.django_db(transaction=True)
def test_settings_have_their_own_doors(as_product: None) -> None:
    assert rows_in(Scope.everything(), "SELECT 1") == [(1,)]
    with scope(Scope.everything()):
        raw_rows(Settings("SET LOCAL enable_sort = off; SET LOCAL enable_sort = on"))
        with pytest.raises(AssertionError, match="settings"):
            raw_rows("SET LOCAL enable_sort = off; SELECT 1")
    assert len(list(watching.broken())) == 1


@pytest.mark.django_db
def test_a_server_with_another_time_zone_is_no_fault(
    as_product: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTZ", "Asia/Shanghai")
    other = connections.create_connection("default")
    with closing(other), other.cursor() as cursor:
        cursor.execute("SHOW timezone")
        assert cursor.fetchone() == ("UTC",)
    assert list(watching.broken()) == []


@pytest.mark.django_db
def test_a_test_may_send_what_it_likes() -> None:
    with scope(Scope.everything()):
        assert raw_rows("SELECT 1 WHERE (1, 2) NOT IN (SELECT 3, 4)") == [(1,)]


def _expressions(node: Any) -> Iterator[str]:
    """Yield the SQL in a parsed function of PL/pgSQL: statements, expressions, and what is assigned."""
    if isinstance(node, list):
        for each in node:
            yield from _expressions(each)
    elif isinstance(node, dict):
        if expression := node.get("PLpgSQL_expr"):
            text = expression["query"]
            yield text if expression["parseMode"] == 0 else f"SELECT {text.split(':=', 1)[-1]}"
        for each in node.values():
            yield from _expressions(each)


def _names(node: Any) -> Iterator[str]:
    """Yield the variables of a parsed function."""
    if isinstance(node, list):
        for each in node:
            yield from _names(each)
    elif isinstance(node, dict):
        if "refname" in node:
            yield node["refname"]
        for each in node.values():
            yield from _names(each)


@pytest.mark.django_db
def test_functions_keep_the_rules() -> None:
    functions = raw_rows(
        "SELECT p.proname, l.lanname, pg_get_functiondef(p.oid), p.prosrc FROM pg_proc p"
        " JOIN pg_language l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')"
        " WHERE p.pronamespace = current_schema()::regnamespace AND p.prokind = 'f'"
        " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
    )
    assert len(functions) > 10
    broken = {}
    for name, language, definition, source in functions:
        # The one by which a cluster holds a shard is a part of those at home: it runs on that shard's worker.
        if is_at_home(name) or name == "alliance_hold_shard":
            continue
        texts, variables = [source], set[str]()
        if language == "plpgsql":
            tree = json.loads(parser.parse_plpgsql_json(definition))
            texts, variables = list(_expressions(tree)), set(_names(tree))
        faults = [fault for text in texts for fault in faults_of(text, variables=variables, is_one=False)]
        if faults:
            broken[name] = faults
    assert broken == {}


def test_migrations_change_one_thing_a_message() -> None:
    """As a list of statements. A cluster gets each release's migrations but those of its first schema."""
    migrations = MigrationLoader(connection=None, ignore_no_migrations=True).disk_migrations
    texts = {
        (app, name): sql
        for (app, name), migration in migrations.items()
        if (app, name) not in FIRST_SCHEMA
        for operation in migration.operations
        if isinstance(operation, RunSQL)
        for sql in (operation.sql if isinstance(operation.sql, list | tuple) else [operation.sql])
    }
    assert {key: faults for key, sql in texts.items() if (faults := faults_of(str(sql)))} == {}
