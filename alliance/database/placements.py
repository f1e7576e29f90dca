"""Where each table is on a cluster: by parcel, on every node, or on the coordinator.

Each app lists its own tables in a module of this name. On one server the lists change nothing, but a table is
made to fit its place from its first migration on: see `problems_of` and tests/alliance/database/.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models

from alliance.registry import Registry


@dataclass(frozen=True, slots=True)
class Placements:
    """The tables of an app."""

    # Divided among the workers: table -> the column of the parcel's id. The rows of a parcel are on one node.
    by_parcel: Mapping[str, str] = field(default_factory=dict)
    # With a copy on every node: of rules, written by ops alone, and joined with tables by parcel. None can be
    # written while a worker is down.
    reference: tuple[str, ...] = ()
    # On the coordinator only: never joined with tables by parcel, and tied to no others by keys on a cluster.
    local: tuple[str, ...] = ()


BY_PARCEL: Final[Registry[str, str]] = Registry("table by parcel")
REFERENCE: Final[list[str]] = []
LOCAL: Final[list[str]] = []


def register_tables(placements: Placements) -> None:
    """Add the tables of an app."""
    BY_PARCEL.register(placements.by_parcel)
    REFERENCE.extend(placements.reference)
    LOCAL.extend(placements.local)


def group_table() -> str:
    """The table of the parcels themselves: all others by parcel lie where its rows do."""
    return next(table for table, column in BY_PARCEL.items() if column != "parcel_id")


def can_be_joined(table: str) -> bool:
    """Whether tables by parcel may be joined with a table, and point at it."""
    return table in BY_PARCEL or table in REFERENCE


def places_of(table: str) -> list[str]:
    """Return the lists that a table is in: one, if all is well."""
    lists = {"by_parcel": BY_PARCEL, "reference": REFERENCE, "local": LOCAL}
    return [name for name, tables in lists.items() for each in tables if each == table]


def problems_of(tables: Iterable[type[models.Model]]) -> Iterator[str]:
    """Yield what keeps models from their place on a cluster; views have none."""
    for model in tables:
        if not model._meta.managed or model._meta.proxy:
            continue
        table, app = model._meta.db_table, model._meta.app_label
        places = places_of(table)
        if not places:
            yield (
                f"The table {table} is in no list of placements: add it to by_parcel, reference or local"
                f" in {app}/placements.py (a package's table: in alliance/placements.py)."
            )
        elif len(places) > 1:
            yield f"The table {table} is in several lists of placements: {', '.join(places)}."
        elif table in BY_PARCEL:
            problems = (*_misfits(model), *_loose_ends(model))
            yield from (f"The table {table} is by parcel: {problem}" for problem in problems)
        elif table in REFERENCE:
            yield from (f"The table {table} is on every node: {problem}" for problem in _loose_ends(model))


def _misfits(model: type[models.Model]) -> Iterator[str]:
    """Yield what a cluster would refuse of a table by parcel.

    Not its primary key: that of a model may be `id` alone (alliance/database/online_keys.py).
    """
    options: Any = model._meta
    column = BY_PARCEL[options.db_table]
    fields = {each.column: each for each in options.concrete_fields}
    if column not in fields or fields[column].null:
        yield f"its column {column} has to be there, and NOT NULL."
        return
    name = fields[column].name
    unique = {
        *(tuple(names) for names in options.unique_together),
        *(tuple(rule.fields) for rule in options.constraints if isinstance(rule, models.UniqueConstraint)),
        *((each.name,) for each in fields.values() if each.unique and not each.primary_key),
    }
    for names in sorted(names for names in unique if name not in names):
        yield f"its unique key ({', '.join(names)}) needs {name} as well."


def _loose_ends(model: type[models.Model]) -> Iterator[str]:
    """Yield what a table that is not on the coordinator refers to there."""
    options: Any = model._meta
    for each in options.concrete_fields:
        has_constraint = getattr(each, "db_constraint", False)
        target = each.related_model._meta.db_table if has_constraint else ""
        if target and not can_be_joined(target):
            yield (
                f"{each.name} points at {target}, which is on the coordinator only: point at tables by parcel"
                " or reference tables, or leave the constraint out (db_constraint=False)."
            )
