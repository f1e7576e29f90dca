"""Where tables are on a cluster: each in one list, and made to fit its place."""

from typing import Any

import pytest
from django.apps import apps
from django.apps.registry import Apps
from django.db import models

from alliance import checks
from alliance.database.placements import BY_PARCEL, LOCAL, REFERENCE, group_table, places_of, problems_of
from alliance.tenancy import raw_rows


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


def test_what_has_a_parcel_id_is_by_parcel_but_excuses() -> None:
    tables = {
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.managed and any(field.column == "parcel_id" for field in model._meta.fields)
    }
    assert tables - BY_PARCEL.keys() == {"slas_excuse"}
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
