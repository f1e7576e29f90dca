"""Where tables are on a cluster: each in one list, and made to fit its place."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.apps.registry import Apps
from django.db import models

from alliance import checks
from alliance.database.placements import (
    BY_PARCEL,
    LOCAL,
    REFERENCE,
    can_be_joined,
    group_table,
    places_of,
    problems_of,
)
from alliance.database.released import LAST_MIGRATIONS
from alliance.models import City, User
from alliance.tenancy import raw_rows
from slas.models import Offer


def model(**fields: Any) -> Any:
    """A model that no app has."""
    meta = type("Meta", (), {"app_label": "slas", "apps": Apps(), **fields.pop("meta", {})})
    return type("Parking", (models.Model,), {"Meta": meta, "__module__": __name__, **fields})


def test_every_table_has_one_place() -> None:
    assert checks.tables_have_a_place(None) == []


@pytest.mark.django_db
def test_the_lists_name_the_tables_of_the_database() -> None:
    found = {
        row[0]
        for row in raw_rows(
            "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relpersistence = 'p' AND relnamespace = current_schema()::regnamespace"
        )
    }
    assert {*BY_PARCEL, *REFERENCE, *LOCAL} == found


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "its column parcel_id has to be there, and NOT NULL."),
        (
            {"parcel_id": models.BigIntegerField(null=True)},
            "its column parcel_id has to be there, and NOT NULL.",
        ),
        (
            {"parcel_id": models.BigIntegerField(), "place": models.IntegerField(unique=True)},
            "its unique key (place) needs parcel_id as well.",
        ),
        (
            {
                "parcel_id": models.BigIntegerField(),
                "place": models.IntegerField(),
                "meta": {
                    "constraints": [models.UniqueConstraint(fields=["place", "id"], name="place_once")],
                    "unique_together": [("parcel_id", "place")],
                },
            },
            "its unique key (place, id) needs parcel_id as well.",
        ),
        (
            {
                "parcel_id": models.BigIntegerField(),
                "origin": models.ForeignKey(City, models.PROTECT, related_name="+"),
                "offer": models.ForeignKey(Offer, models.PROTECT, related_name="+"),
                "hint": models.ForeignKey(Offer, models.PROTECT, related_name="+", db_constraint=False),
            },
            "offer points at slas_offer, which is on the coordinator only: point at tables by parcel"
            " or reference tables, or leave the constraint out (db_constraint=False).",
        ),
    ],
)
def test_a_table_by_parcel_that_a_cluster_would_refuse_is_refused(
    fields: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BY_PARCEL, "slas_parking", "parcel_id")
    assert list(problems_of([model(**fields)])) == [f"The table slas_parking is by parcel: {problem}"]


def test_a_table_on_every_node_points_at_no_table_of_the_coordinator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alliance.database.placements.REFERENCE", [*REFERENCE, "slas_parking"])
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    [problem] = problems_of([model(made_by=made_by)])
    assert problem.startswith("The table slas_parking is on every node: made_by points at alliance_user")


def test_what_has_a_parcel_id_is_by_parcel() -> None:
    tables = {
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.managed and any(field.column == "parcel_id" for field in model._meta.fields)
    }
    assert tables <= BY_PARCEL.keys()
    assert group_table() == "parcels_parcel"


def test_a_table_in_no_list_is_refused() -> None:
    [problem] = problems_of([model()])
    assert problem == (
        "The table slas_parking is in no list of placements: add it to by_parcel, reference or local"
        " in slas/placements.py (a package's table: in alliance/placements.py)."
    )


def test_a_table_in_two_lists_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alliance.database.placements.LOCAL", [*LOCAL, "slas_tierversion"])
    assert places_of("slas_tierversion") == ["reference", "local"]
    [error] = checks.tables_have_a_place(None)
    assert error.id == "alliance.E003"
    assert error.msg == "The table slas_tierversion is in several lists of placements: reference, local."


# --- what the database itself says -------------------------------------------------------------


def of_tables_by_parcel(query: str) -> list[tuple[Any, ...]]:
    """The rows of a query whose `relation` is a table by parcel, or one of its months."""
    return raw_rows(
        f"SELECT q.* FROM ({query}) AS q LEFT JOIN pg_inherits i ON i.inhrelid = q.relation"
        " WHERE coalesce(i.inhparent, q.relation)::regclass::text = ANY(%(tables)s)",
        {"tables": list(BY_PARCEL)},
    )


@pytest.mark.django_db
def test_every_key_of_a_table_by_parcel_has_the_parcel_which_is_not_null() -> None:
    keys = of_tables_by_parcel(
        "SELECT indrelid AS relation, indrelid::regclass::text AS name, indisprimary,"
        " array_agg(a.attname::text) AS columns, bool_and(a.attnotnull) AS filled"
        " FROM pg_index JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = ANY(indkey::int2[])"
        " WHERE indisunique GROUP BY indexrelid, indrelid, indisprimary"
    )
    for _relation, name, is_primary, columns, is_filled in keys:
        table = name.split("_y2")[0]
        assert BY_PARCEL[table] in columns, f"{name}: ({', '.join(columns)})"
        assert is_filled or not is_primary, name
    assert {name for _relation, name, is_primary, *_rest in keys if is_primary} >= BY_PARCEL.keys()


@pytest.mark.django_db
def test_tables_by_parcel_point_at_their_group_and_reference_tables_only() -> None:
    keys = of_tables_by_parcel(
        "SELECT conrelid AS relation, conrelid::regclass::text, confrelid::regclass::text"
        " FROM pg_constraint WHERE contype = 'f'"
    )
    assert [(table, target) for _relation, table, target in keys if not can_be_joined(target)] == []
    # Each would have to be made anew beside a month that is moved out.
    months = {row[0] for row in raw_rows("SELECT DISTINCT inhparent::regclass::text FROM pg_inherits")}
    assert [table for _relation, table, _target in keys if table in months] == []


@pytest.mark.django_db
def test_triggers_of_tables_by_parcel_ask_no_table() -> None:
    triggers = of_tables_by_parcel(
        "SELECT tgrelid AS relation, tgname::text, prosrc, tgnewtable IS NOT NULL OR tgoldtable IS NOT NULL"
        " FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid WHERE NOT tgisinternal"
    )
    asking = re.compile(r"\b(FROM|JOIN|INTO|UPDATE|EXECUTE|PERFORM)\b", re.IGNORECASE)
    assert {
        name for _relation, name, text, reads_rows in triggers if reads_rows or asking.search(text)
    } == set()
    assert {name for _relation, name, *_rest in triggers} == {"commitment_transition", "event_of_no_parcel"}


@pytest.mark.django_db
def test_views_of_tables_by_parcel_ask_tables_of_the_group_only() -> None:
    views: dict[str, set[str]] = {}
    for view, table in raw_rows(
        "SELECT DISTINCT ev_class::regclass::text, refobjid::regclass::text FROM pg_rewrite r"
        " JOIN pg_depend d ON d.objid = r.oid AND d.refclassid = 'pg_class'::regclass"
        " JOIN pg_class c ON c.oid = ev_class AND c.relnamespace = current_schema()::regnamespace"
        " WHERE refobjid <> ev_class"
    ):
        views.setdefault(view, set()).add(table)
    assert views
    mixed = {
        view for view, tables in views.items() if tables & BY_PARCEL.keys() and tables - BY_PARCEL.keys()
    }
    assert mixed == set()


@pytest.mark.django_db
def test_policies_of_tables_by_parcel_are_plain_expressions() -> None:
    policies = raw_rows(
        "SELECT tablename::text, concat_ws(' ', qual, with_check) FROM pg_policies WHERE tablename = ANY(%s)",
        [list(BY_PARCEL)],
    )
    assert {table for table, _text in policies} == BY_PARCEL.keys()
    for table, text in policies:
        called = set(re.findall(r"(\w+)\(", text)) - {"NULLIF", "current_setting"}
        assert called == set(), f"{table}: {text}"
        assert "SELECT" not in text


def test_the_bridge_for_events_of_no_parcel_goes_with_the_release_after() -> None:
    # The release before says NULL for no parcel. Once it does not, a migration drops the trigger
    # event_of_no_parcel and its function, and this test goes.
    assert LAST_MIGRATIONS["alliance"] < "0016"
