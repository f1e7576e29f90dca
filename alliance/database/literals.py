"""PostgreSQL array literals of the columns of a batch: one string parameter per column.

psycopg2 adapts lists value by value and adds a cast to every moment; for a thousand rows of twenty columns,
writing and parsing them took longer than the insert. Cast the parameter: `%(id)s::bigint[]`.
"""

from collections.abc import Iterable
from datetime import date


def numbers(values: Iterable[int | None]) -> str:
    """Return an array of whole numbers or NULLs."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def moments(values: Iterable[date | None]) -> str:
    """Return an array of dates, moments with their offset, or NULLs."""
    # Rows of a batch often share the same moments, so each is formatted once.
    literals: dict[date | None, str] = {None: "NULL"}
    elements = []
    for value in values:
        if value not in literals:
            literals[value] = str(value and value.isoformat())
        elements.append(literals[value])
    return f"{{{','.join(elements)}}}"


def texts(values: Iterable[str]) -> str:
    """Return an array of texts, escaped."""
    quoted = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]
    return f"{{{','.join(quoted)}}}"
