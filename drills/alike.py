"""Whether two databases say the same, table by table: of one server and of a cluster, say.

`python -m drills alike postgres://owner@host/one postgres://owner@host/other`. Neither is changed. Left out
are ids that servers draw by themselves and moments at which a program ran: of these only whether they are
there is compared. Rows have no order.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

import psycopg2

# What programs of this database note of themselves, and what waits to be folded, in groups as it came.
LEFT_OUT: Final = {
    "alliance_heartbeat",
    "django_migrations",
    "django_session",
    "slas_progresstally",
    "slas_tally",
    "usersessions_usersession",
}
# Moments of a run, and what was worked out for such a moment.
_OF_A_RUN: Final = {
    *(
        "applied",
        "at",
        "claimed_at",
        "closed_at",
        "computed_at",
        "contradicted_at",
        "created_at",
        "date_joined",
    ),
    *("decided_at", "erased_at", "expires_at", "frozen_at", "last_login", "opened_at", "received_at"),
    *("refreshed_at", "since", "until", "chance", "p50_at", "p90_at", "checked_at", "updated_at"),
}
# Tables whose ids nothing refers to: two servers, or writers, draw them in another order.
_DRAWN: Final = {
    *("alliance_acquaintance", "alliance_auditentry", "alliance_event", "couriers_courierhome"),
    *("slas_creditcheck", "slas_excuse", "slas_ontimerate", "slas_overduecount", "slas_watchitem"),
}
# What names rows by such an id.
_BY_DRAWN: Final = {("alliance_auditentry", "object_id"), ("alliance_auditentry", "detail")}
# Lists in the order in which tallies were folded.
_IN_NO_ORDER: Final = {
    ("slas_ontimerate", "marks"): "(SELECT array_agg(m ORDER BY m) FROM unnest(marks) AS m)::text",
    ("slas_progress", "marks"): "(SELECT array_agg(m ORDER BY m) FROM unnest(marks) AS m)::text",
    ("slas_progress", "counts"): (
        "(SELECT array_agg(c ORDER BY m, c) FROM unnest(marks, counts) AS b (m, c))::text"
    ),
}
# Rows are compared one by one in a table of so many; so many are shown.
MOST_ROWS, SHOWN = 100_000, 3
_COLUMNS: Final = """
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
    AND c.relname !~ '^alliance_apicall' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2
"""


def differences(one: str, other: str) -> Iterator[str]:
    """Yield what differs between two databases, given the addresses of their owners.

    A line for each table that differs, and one, indented, for each row of it that is shown.
    """
    with closing(psycopg2.connect(one)) as first, closing(psycopg2.connect(other)) as second:
        tables = [_tables(connection) for connection in (first, second)]
        for table in sorted({*tables[0], *tables[1]}):
            columns = [of.get(table, {}) for of in tables]
            if columns[0] != columns[1]:
                yield f"{table} has other columns: {', '.join(sorted({*columns[0]} ^ {*columns[1]}))}"
                continue
            told = [_told(connection, table, columns[0]) for connection in (first, second)]
            if told[0] != told[1]:
                yield f"{table}: {_said(told[0], told[1])}"
                if max(each[""] for each in told) <= MOST_ROWS:
                    yield from _only_in_one(first, second, table, columns[0])


def _only_in_one(first: Any, second: Any, table: str, columns: dict[str, str]) -> Iterator[str]:
    one, other = (set(_rows(connection, table, columns)) for connection in (first, second))
    for name, these, others in (("the one", one, other), ("the other", other, one)):
        for row in sorted(these - others)[:SHOWN]:
            yield f"  only in {name}: {row}"


def _rows(connection: Any, table: str, columns: dict[str, str]) -> list[str]:
    row = ", ".join(_text(table, column, kind) for column, kind in columns.items())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT concat_ws('|', {row}) FROM {table}")
        found = [text for (text,) in cursor.fetchall()]
    connection.rollback()
    return found


def compared(address: str) -> dict[str, int]:
    """Return the tables that are compared, and how many rows each has."""
    with closing(psycopg2.connect(address)) as connection:
        return {table: _told(connection, table, {})[""] for table in _tables(connection)}


def _tables(connection: Any) -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS)
        for table, column, kind in cursor.fetchall():
            if table not in LEFT_OUT and table.startswith(("alliance_", "couriers_", "parcels_", "slas_")):
                tables.setdefault(table, {})[column] = kind
    return tables


def _told(connection: Any, table: str, columns: dict[str, str]) -> dict[str, Any]:
    """Return the number of rows, and sums that tell the values of each column and of whole rows."""
    texts = {column: _text(table, column, kind) for column, kind in columns.items()}
    row = f"concat_ws('|', {', '.join(texts.values())})" if texts else "''"
    sums = [f"sum(hashtextextended({text}, 0)::numeric)" for text in [*texts.values(), row]]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), {', '.join(sums)} FROM {table}")
        count, *found = cursor.fetchone()
    connection.rollback()
    return {"": count} | dict(zip([*texts, "rows"], found, strict=True))


def _text(table: str, column: str, kind: str) -> str:
    name = f'"{column}"'
    is_drawn = (column == "id" and table in _DRAWN) or (table, column) in _BY_DRAWN
    if column in _OF_A_RUN or is_drawn:
        return f"({name} IS NULL)::text"
    # Not as the session's zone has it, which workers do not know.
    value = f"extract(epoch FROM {name})::text" if kind.startswith("timestamp") else f"{name}::text"
    return f"coalesce({_IN_NO_ORDER.get((table, column), value)}, 'NULL')"


def _said(one: dict[str, Any], other: dict[str, Any]) -> str:
    if one[""] != other[""]:
        return f"{one['']:,} rows and {other['']:,}"
    columns = [name for name in one if one[name] != other[name]]
    named = ", ".join(name for name in columns if name != "rows")
    return f"{one['']:,} rows each, {named or 'put together otherwise'} differ"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills alike", description=__doc__)
    parser.add_argument("one", help="address of the owner of one database")
    parser.add_argument("other", help="address of the owner of the other")
    chosen = parser.parse_args(arguments)
    try:
        found = [*differences(chosen.one, chosen.other)]
        rows = sum(compared(chosen.one).values())
    except psycopg2.Error as error:
        sys.exit(f"A database cannot be read: {str(error).strip()}")
    for difference in found:
        sys.stdout.write(f"{difference}\n")
    tables = sum(not line.startswith(" ") for line in found)
    sys.stdout.write(
        f"{rows:,} rows; tables that differ: {tables}.\n" if found else f"{rows:,} rows alike.\n"
    )
    return 1 if found else 0
