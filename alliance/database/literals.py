"""Columns of a batch as PostgreSQL array literals: one string each, instead of a parameter a value.

psycopg2 adapts lists value by value and sends every moment with a cast of its own; a thousand rows of
twenty columns took longer to write down and parse than to insert. Cast the parameter: `%(id)s::bigint[]`.
"""

from collections.abc import Iterable
from datetime import date


def numbers(values: Iterable[int | None]) -> str:
    """Whole numbers, or nothing."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def moments(values: Iterable[date | None]) -> str:
    """Days, or moments with their offset, or nothing."""
    # Rows of a batch share their promises, so most are spelled already.
    spelled: dict[date | None, str] = {None: "NULL"}
    found = []
    for value in values:
        if value not in spelled:
            spelled[value] = str(value and value.isoformat())
        found.append(spelled[value])
    return f"{{{','.join(found)}}}"


def texts(values: Iterable[str]) -> str:
    """Texts of any content."""
    quoted = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]
    return f"{{{','.join(quoted)}}}"
