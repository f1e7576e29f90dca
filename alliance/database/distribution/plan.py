"""The steps from one server to a cluster. Each may be cut off anywhere and begun again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from django.db import connection

from alliance.database import cluster, stored_functions
from alliance.database.distribution import access, coordinator, functions, tables
from alliance.database.distribution.nodes import rows
from alliance.database.distribution.readiness import megabytes
from alliance.database.distribution.tables import Kind
from alliance.database.owner import grant_to_server
from alliance.database.placements import BY_PARCEL, REFERENCE, group_table
from alliance.database.together import PLANNED_BY_CITUS
from alliance.registry import Registry


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it does in a sentence, and a function that does it and says what came of it."""

    text: str
    do: Callable[[], str]


# What apps do first, while all tables are on one server, and a function that says what came of it.
PREPARATIONS: Final[Registry[str, Callable[[], str]]] = Registry("preparation of distributing")


def steps(*, shards: int) -> Iterator[Step]:
    """Yield what is to be done yet, in order. A step is done in one transaction, or does nothing twice."""
    found = tables.kinds()
    if found.get(group_table()) is not Kind.BY_PARCEL:
        yield from (Step(text, do) for text, do in PREPARATIONS.items())
    yield Step(f"take all rights to rows from {access.server_role()} until the end", _shut_out)
    if keys := coordinator.crossing_keys():
        names = ", ".join(key.name for key in keys)
        yield Step(f"drop the keys between tables of the coordinator and others: {names}", _drop_keys)
    if taken_over := coordinator.taken_over():
        text = f"take back to the coordinator alone, from a release before: {', '.join(taken_over)}"
        yield Step(text, _take_back)
    copied = {table for table in REFERENCE if found.get(table) is Kind.REFERENCE}
    for table in in_order(BY_PARCEL):
        if found.get(table) is Kind.BY_PARCEL:
            continue
        with_it = {key.target for key in tables.keys_of(table)} - copied
        copied |= with_it
        text = f"divide {table} into {shards} shards by {BY_PARCEL[table]}: {described(table)}"
        if with_it:
            text += f"; and copy {', '.join(sorted(with_it))} to every node"
        yield Step(text, partial(_spread, table, shards))
    for table in REFERENCE:
        if table not in copied:
            yield Step(f"copy {table} to every node: {described(table)}", partial(_copy, table))
    yield from finishing_steps()
    yield Step("have every node look at what it got (ANALYZE)", _analyze)


def finishing_steps() -> Iterator[Step]:
    """Yield what is done at every end, whatever was done before."""
    yield Step("empty the coordinator's own files of what is on the workers now", _empty)
    yield Step(f"have Citus know {PLANNED_BY_CITUS}, by which commits of several nodes are prepared", _know)
    yield Step("set on the sequences of ids that began again", _set_on)
    yield Step("make functions on the workers, and have others planned with their values", _functions)
    yield Step(
        "have scopes travel to the workers, their hours be UTC, and their answers come as text", _sessions
    )
    yield Step("install the stored statements", _install)
    yield Step(f"grant {access.server_role()} its rights on every node", _grant)
    yield Step("compare the policies of every relation on every node", _compare)


def in_order(by_parcel: dict[str, str]) -> list[str]:
    """Return the tables, the one that defines the shards first."""
    return sorted(by_parcel, key=lambda table: table != group_table())


def described(table: str) -> str:
    found = tables.facts(table)
    count = "never analyzed" if found.rows is None else f"about {found.rows:,} rows"
    months = f", {found.months} months" if found.months else ""
    return f"{count}{months}, {megabytes(found.bytes)}"


def _shut_out() -> str:
    access.shut_out()
    return ""


def _copy(table: str) -> str:
    tables.copy_to_nodes(table)
    return f"{tables.count(table):,} rows before and after"


def _spread(table: str, shards: int) -> str:
    tables.spread(table, shards=shards)
    return f"{tables.count(table):,} rows before and after"


def _empty() -> str:
    parts = [part for table in [*BY_PARCEL] for part in tables.left_behind(table)]
    for part in parts:
        tables.empty_left_behind(part)
    return f"{len(parts)} tables and months"


def _drop_keys() -> str:
    return f"{coordinator.drop_crossing_keys()} keys; services alone hold them from now on"


def _take_back() -> str:
    return f"{coordinator.take_all_back()} tables, with as many rows as before"


def _know() -> str:
    return "" if coordinator.have_one_planned() else "known already"


def _set_on() -> str:
    behind = tables.behind()
    for sequence, highest in behind:
        tables.set_on(sequence, highest)
    return f"{len(behind)} sequences"


def _functions() -> str:
    made, planned = functions.make_missing()
    return f"{made} made, {planned} planned with values"


def _sessions() -> str:
    access.let_scopes_travel()
    access.let_workers_answer_in_text()
    access.let_sessions_keep_utc()
    return ""


def _analyze() -> str:
    for table in [*BY_PARCEL, *REFERENCE]:
        rows(f"ANALYZE {table}")
    return ""


def _install() -> str:
    cluster.forget()
    stored_functions.install_all()
    return ""


def _grant() -> str:
    grant_to_server()
    access.grant_on_nodes()
    return ""


def _compare() -> str:
    return f"{access.require_alike_policies():,} relations alike"


def prepare_session() -> None:
    """Set what the session of the steps needs: a killed command leaves no statement running for long."""
    rows("SET client_connection_check_interval = '2s'")
    rows("SET lock_timeout = '30s'")
    # A statement of a table with keys to reference tables goes to one shard after the other.
    rows("SET citus.multi_shard_modify_mode = 'sequential'")
    # Changes of the schema are sent alone from now on.
    connection.connection.is_distributed = True
