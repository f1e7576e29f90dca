"""Ask some shards of a cluster for a part of a list.

Citus finds the shard of a statement by the parcel's id alone, so a list of a courier's parcels would be asked
of every shard. Sent to a home, with the names of its shard's tables in it, it is asked of that one. The text
is the one that Django writes; values travel beside it, so nothing that a client sent is ever part of a text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec
from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

from alliance.database.at_home import where_shards_are
from alliance.database.cluster import keys_of_homes, place_of
from alliance.database.function_texts import renamed
from alliance.database.literals import texts
from alliance.database.placements import LOCAL
from alliance.database.shard_functions import Shards
from alliance.database.stored_functions import StoredStatement
from alliance.tenancy import raw_rows

# With more shards than these the workers are asked side by side, by Citus, instead of one after the other.
MOST_SHARDS: Final = 8


class Narrow(Protocol):
    """Returns a list with those rows only of which so many are the first, as couriers.homes.lists does."""

    def __call__(self, rows: Any, *, most: int) -> Any: ...


ROWS_AT_HOME: Final = StoredStatement(
    "alliance_rows_at_home",
    parameters={"home": "bigint", "query": "text", "given": "text[]"},
    returns={"told": "text"},
    is_stable=True,
    is_plain=True,
    at_home=True,
    body="""
BEGIN
    RETURN QUERY EXECUTE 'SELECT to_json(q)::text FROM (' || %(query)s || ') AS q' USING %(given)s;
END""",
)
_TYPES: Final = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double precision"),
    (Decimal, "numeric"),
    (str, "text"),
    (datetime, "timestamptz"),
    (date, "date"),
)
_QUOTED: Final = re.compile(r'"(\w+)"')
# A table or view under its own name, or under the alias that follows.
_FROM: Final = re.compile(r'\b(?P<join>FROM|JOIN) "(?P<view>\w+)"(?: (?P<alias>[A-Z]\d+)\b)?')
_VIEWS: Final = """
    SELECT relname, rtrim(pg_get_viewdef(oid), ';') FROM pg_class
    WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace
"""


@dataclass(frozen=True)
class Tables:
    """What the names in a text stand for: tables with their shards, and views with their texts."""

    shards: Shards
    views: dict[str, str]

    def on_shard(self, sql: str, place: int) -> str:
        """Return a text of Django's, which quotes all names, with the tables of a shard."""
        names = self.shards.names(place)

        def inlined(match: re.Match[str]) -> str:
            if (shown := self.views.get(match["view"])) is None:
                return match[0]
            return f"{match['join']} ({renamed(shown, names)}) {match['alias'] or match['view']}"

        text = _FROM.sub(inlined, sql)
        return _QUOTED.sub(lambda match: f'"{names.get(match[1], match[1])}"', text)


# Of each database: shards stay what they are when they are moved.
_tables: dict[tuple[Any, ...], Tables] = {}


def rows_at_homes(rows: QuerySet[Any, Any], homes: Sequence[int]) -> list[dict[str, Any]] | None:
    """Return what each shard of some homes has of a list, by the names of columns, on a cluster.

    None if the list cannot be asked there, or if that are too many shards: it is to be asked as ever.
    """
    keys = keys_of_homes(homes)
    if len(keys) > MOST_SHARDS:
        return None
    try:
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        # Of filters that are refused.
        return []
    kinds = [next((kind for type_, kind in _TYPES if isinstance(each, type_)), "") for each in parameters]
    if not all(kinds) or not {*LOCAL}.isdisjoint(_QUOTED.findall(sql)):
        return None
    query = sql % tuple(f"($1)[{number}]::{kind}" for number, kind in enumerate(kinds, start=1))
    given = texts(each.isoformat() if isinstance(each, date) else str(each) for each in parameters)
    tables = known_tables()

    def ask() -> list[dict[str, Any]]:
        calls = (
            {"home": key, "query": tables.on_shard(query, place), "given": given}
            for place, key in keys.items()
        )
        return [msgspec.json.decode(told) for call in calls for (told,) in raw_rows(ROWS_AT_HOME.call, call)]

    return where_shards_are(ask)


def known_tables() -> Tables:
    """Return the shards and views of this database, read once a process."""
    place = place_of()
    if (tables := _tables.get(place)) is None:
        with connections["default"].cursor() as cursor:
            tables = _tables[place] = Tables(Shards.read(cursor), views())
    return tables


def views() -> dict[str, str]:
    """Return the texts of our views by their names."""
    return dict(raw_rows(_VIEWS))
