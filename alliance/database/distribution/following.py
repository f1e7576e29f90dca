"""What a later release adds to a database that is distributed already."""

from typing import Any

from alliance.database import cluster
from alliance.database.distribution import access, coordinator, functions, tables
from alliance.database.distribution.tables import Kind
from alliance.database.placements import BY_PARCEL, REFERENCE

_TO_TAKE_BACK = (
    "These tables belong to the coordinator alone, and Citus has them from a release before: {tables}."
    " All goes on, but those on every node cannot be written while a worker is down. Stop the product for a"
    " while and run `manage.py distribute`: it takes them back.\n"
)


def place(table: str) -> None:
    """Put a table that a migration has just made where it belongs."""
    if table in BY_PARCEL:
        tables.spread(table)
    elif table in REFERENCE:
        tables.copy_to_nodes(table)


def place_misplaced(**_signal: Any) -> None:
    """Put tables that the release before had elsewhere where they belong.

    Called after each `migrate`, and first: stored statements are made over a table's shards.
    """
    if cluster.is_distributed():
        for table in misplaced():
            place(table)


def follow(*, stdout: Any = None, **_signal: Any) -> None:
    """Have the workers know what this release added; called after each `migrate`, and last."""
    if not cluster.is_distributed():
        return
    coordinator.have_one_planned()
    if stdout is not None and (tables_elsewhere := coordinator.taken_over()):
        stdout.write(_TO_TAKE_BACK.format(tables=", ".join(tables_elsewhere)))
    functions.make_missing()
    access.grant_on_nodes()
    access.require_alike_policies()


def misplaced() -> list[str]:
    """Return the tables that belong elsewhere than they are."""
    found = tables.kinds()
    wanted = dict.fromkeys(BY_PARCEL, Kind.BY_PARCEL) | dict.fromkeys(REFERENCE, Kind.REFERENCE)
    return [
        table for table, kind in wanted.items() if found.get(table) is not kind and tables.is_there(table)
    ]
