"""Statements at home: with the tables of a shard, sent to where the shard is."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.models import AutoField

from alliance import checks
from alliance.database import cluster, stored_functions
from alliance.database.function_texts import FunctionText, names_in, renamed
from alliance.database.literals import moments, texts
from alliance.database.placements import BY_PARCEL
from alliance.database.shard_functions import Shards, texts_of
from alliance.database.stored_functions import StoredStatement
from alliance.tenancy import Scope, raw_rows, rows_in
from tests.helpers.owner import execute_as_owner

pretends = pytest.mark.one_server("it pretends to have shards; tests/citus/test_shard_functions.py has them")
# Of tables that are nowhere else.
NOTE = StoredStatement(
    "alliance_note",
    parameters={"home": "bigint", "text": "text"},
    returns={"stored": "text"},
    body="""
BEGIN
    RETURN QUERY INSERT INTO notes (parcel_id, text) SELECT %(home)s, %(text)s || city.name FROM city
    RETURNING notes.text;
END""",
    at_home=True,
)
SHARDS = Shards({"parcels_parcel": (71, 72), "notes": (81, 82)}, {"city": 90})


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT notes.id FROM notes", "SELECT notes_81.id FROM notes_81"),
        ("notes_id_key, my_notes, notes2, notes$", "notes_id_key, my_notes, notes2, notes$"),
        ("'notes', 'it''s notes', E'\\' notes'", "'notes', 'it''s notes', E'\\' notes'"),
        ("f('a')notes('b')", "f('a')notes_81('b')"),
        ('"notes" /* notes */ notes -- notes', '"notes" /* notes */ notes_81 -- notes'),
    ],
)
def test_whole_names_of_tables_are_replaced(sql: str, expected: str) -> None:
    assert renamed(sql, {"notes": "notes_81"}) == expected


def test_names_are_those_outside_of_texts_and_comments() -> None:
    assert [*names_in("SELECT a FROM b -- c\n WHERE d = 'e'")] == ["SELECT", "a", "FROM", "b", "WHERE", "d"]


def test_each_shard_has_a_function_with_its_own_tables() -> None:
    texts = texts_of(NOTE, SHARDS)
    assert [*texts] == [f"{NOTE.name}_71", f"{NOTE.name}_72", NOTE.name]
    second = {*names_in(texts[f"{NOTE.name}_72"].body)}
    assert {"notes_82", "city_90"} <= second
    assert second.isdisjoint({"notes", "notes_81", "city"})


def test_statement_of_other_tables_has_the_names_of_those_on_the_coordinator() -> None:
    statement = replace(
        NOTE,
        parameters={"text": "text"},
        body="BEGIN INSERT INTO visit SELECT name FROM city; RETURN NEXT; END",
        at_home=False,
    )
    shards = replace(SHARDS, local={"visit": 95})
    [text] = texts_of(statement, shards).values()
    assert "INSERT INTO visit_95 SELECT name FROM city_90" in text.body
    assert text.settings == {**statement.text.settings, "citus.enable_manual_changes_to_shards": "on"}
    [reading] = texts_of(replace(statement, body="BEGIN PERFORM 1 FROM city; END"), shards).values()
    assert reading.settings == statement.text.settings


@pretends
@pytest.mark.django_db
def test_function_of_the_shard_that_is_held_is_called() -> None:
    role = connection.ops.quote_name(connection.settings_dict["USER"])
    execute_as_owner(f"GRANT CREATE ON SCHEMA public TO {role}")
    raw_rows("CREATE TEMP TABLE city_90 AS SELECT ' Wuhan' AS name")
    for shard in (81, 82):
        raw_rows(f"CREATE TEMP TABLE notes_{shard} (parcel_id bigint, text text)")
    raw_rows(
        "CREATE FUNCTION alliance_hold_shard(bigint) RETURNS bigint LANGUAGE sql AS"
        " $$ SELECT CASE WHEN $1 < 100 THEN $1 END $$"
    )
    for name, text in texts_of(NOTE, SHARDS).items():
        raw_rows(f"CREATE FUNCTION {name} {text.definition}")
    assert raw_rows(NOTE.call, {"home": 72, "text": "to"}) == [("to Wuhan",)]
    assert raw_rows("SELECT * FROM notes_82") == [(72, "to Wuhan")]
    assert raw_rows("SELECT * FROM notes_81") == []
    value = replace(NOTE, is_value=True, body="BEGIN RETURN %(text)s; END")
    for name, text in texts_of(value, SHARDS).items():
        raw_rows(f"CREATE FUNCTION {name} {text.definition}")
    assert raw_rows(value.call, {"home": 71, "text": "by"}) == [("by",)]
    told = replace(value, null_if_moved=True)
    raw_rows(f"CREATE OR REPLACE FUNCTION {told.name} {texts_of(told, SHARDS)[told.name].definition}")
    assert raw_rows(told.call, {"home": 171, "text": "by"}) == [(None,)]
    assert raw_rows(told.call, {"home": 72, "text": "by"}) == [("by",)]
    for statement in (NOTE, told):
        # For one that returns NULL, a shard that has no function yet.
        elsewhere = {"home": 73 if statement is told else 171, "text": "by"}
        with pytest.raises(DatabaseError, match="not on this node") as raised, transaction.atomic():
            raw_rows(statement.call, elsewhere)
        assert raised.value.__cause__.pgcode == cluster.MOVED


def test_what_only_reads_holds_no_shard() -> None:
    assert "alliance_hold_shard" in [*names_in(texts_of(NOTE, SHARDS)[NOTE.name].body)]
    reading = replace(NOTE, is_stable=True)
    assert "alliance_hold_shard" not in [*names_in(texts_of(reading, SHARDS)[reading.name].body)]


@pretends
@pytest.mark.django_db
def test_arrays_are_sent_on_as_the_texts_that_were_given() -> None:
    role = connection.ops.quote_name(connection.settings_dict["USER"])
    execute_as_owner(f"GRANT CREATE ON SCHEMA public TO {role}")
    raw_rows("CREATE FUNCTION alliance_hold_shard(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT $1'")
    added = StoredStatement(
        "alliance_added",
        parameters={"home": "bigint", "names": "text[]", "at": "timestamptz[]"},
        returns={"names": "text[]"},
        body="BEGIN RETURN array_append(%(names)s, (SELECT count(*) FROM unnest(%(at)s))::text); END",
        is_value=True,
        at_home=True,
    )
    on_shards = texts_of(added, SHARDS)
    assert on_shards[added.name].parameters == ("bigint", "text", "text")
    assert on_shards[f"{added.name}_72"].parameters == added.text.parameters
    for name, text in on_shards.items():
        raw_rows(f"CREATE FUNCTION {name} {text.definition}")
    given = {"home": 72, "names": texts(['a "b" \\', "c'd,{}"]), "at": moments([datetime.now(tz=UTC)])}
    assert raw_rows(added.call, given) == [(['a "b" \\', "c'd,{}", "1"],)]


@pretends
@pytest.mark.django_db
def test_what_reads_one_parcel_opens_its_scope() -> None:
    role = connection.ops.quote_name(connection.settings_dict["USER"])
    execute_as_owner(f"GRANT CREATE ON SCHEMA public TO {role}")
    raw_rows(
        "CREATE FUNCTION get_shard_id_for_distribution_column(text, bigint) RETURNS bigint LANGUAGE sql AS"
        " $$ SELECT 71 $$"
    )
    read = StoredStatement(
        "alliance_scope",
        parameters={"home": "bigint"},
        returns={"scope": "text"},
        body="BEGIN RETURN current_setting('alliance.scope') || %(home)s; END",
        is_stable=True,
        is_value=True,
        at_home=True,
        of_parcel=True,
    )
    for name, text in texts_of(read, SHARDS).items():
        raw_rows(f"CREATE FUNCTION {name} {text.definition}")
    assert raw_rows(read.call_with(5)) == [("parcel:55",)]
    # Never in place of another scope.
    assert rows_in(Scope.merchant(3), read.call_with(5)) == [("merchant:35",)]


def test_other_statements_over_tables_by_parcel_are_planned_with_their_values() -> None:
    def plans(body: str) -> str:
        statement = replace(NOTE, at_home=False, body=body)
        [text] = texts_of(statement, SHARDS).values()
        return text.settings["plan_cache_mode"]

    assert plans("SELECT 1 FROM notes") == "force_custom_plan"
    assert plans("SELECT 'notes' FROM city") == "force_generic_plan"


@pretends
@pytest.mark.django_db
def test_digest_is_the_servers() -> None:
    role = connection.ops.quote_name(connection.settings_dict["USER"])
    execute_as_owner(f"GRANT CREATE ON SCHEMA public TO {role}")
    text = FunctionText((), "int", "BEGIN RETURN 1; END -- 武汉")
    raw_rows(f"CREATE FUNCTION one {text.definition}")
    assert raw_rows("SELECT md5(prosrc) FROM pg_proc WHERE proname = 'one'") == [(text.digest,)]


def test_first_parameter_at_home_is_the_home() -> None:
    with pytest.raises(ValueError, match="home bigint"):
        replace(NOTE, parameters={"text": "text", "home": "bigint"})


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("SELECT 1 FROM slas_offer", "there is no slas_offer"),
        ("SELECT 'slas_offer'", ""),
        ("SELECT name INTO city FROM alliance_city FOR SHARE", ""),
        ("UPDATE alliance_city SET name = ''", "alliance_city is one copy"),
        ("INSERT INTO alliance_city SELECT 1", "alliance_city is one copy"),
        ("SELECT 'parcels_scan'::regclass", "parcels_scan has another name"),
        ("INSERT INTO notes ON CONFLICT ON CONSTRAINT notes_pkey DO NOTHING", "constraints have other names"),
    ],
)
def test_what_no_shard_has_is_refused(body: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    statement = replace(NOTE, body=body)
    monkeypatch.setattr(checks, "STATEMENTS", [statement])
    assert [problem in each.msg for each in checks.statements_fit_their_home(None)] == [True] * bool(problem)


def test_statements_at_home_draw_ids_themselves() -> None:
    """A shard's column has no default."""
    drawn = {
        model._meta.db_table
        for model in apps.get_models()
        if isinstance(model._meta.pk, AutoField) and model._meta.db_table in BY_PARCEL
    }
    texts = {each.prefix: each.text.body for each in stored_functions.STATEMENTS if each.at_home}
    inserted = [
        (prefix, table, columns.split(",")[0])
        for prefix, body in texts.items()
        for table, columns in re.findall(r"INSERT INTO (\w+)(?: AS \w+)? \(([^)]*)\)", body)
    ]
    assert {"alliance_event", "slas_tally"} <= drawn & {table for _prefix, table, _first in inserted}
    assert [each for each in inserted if each[1] in drawn and each[2] != "id"] == []


def test_statements_of_the_product_fit_their_home() -> None:
    assert any(statement.at_home for statement in stored_functions.STATEMENTS)
    assert checks.statements_fit_their_home(None) == []
