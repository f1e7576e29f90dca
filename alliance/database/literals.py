"""Values as the text of statements: short ones, and arrays of the columns of a batch.

psycopg2 adapts lists value by value and adds a cast to every moment; for a thousand rows of twenty columns,
writing and parsing them took longer than the insert. Cast the parameter: `%(id)s::bigint[]`.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

# Nothing that a quote, an escape or a sign could be made of.
_PLAIN: Final = re.compile(r"[0-9A-Za-z:_]*").fullmatch


def written(sql: str, parameters: dict[str, Any] | list[Any]) -> str | None:
    """Return a statement with its parameters in it, if all are whole numbers or plain words; else None.

    The driver would look for an adapter of each; for a look-up by id that takes a fifth of the web server's
    part of it.
    """
    values = parameters.values() if isinstance(parameters, dict) else parameters
    texts: list[int | str] = []
    for value in values:
        # Not a bool, which is another literal, and not a subclass, whose text may be something else.
        if type(value) is int and value >= 0:
            texts.append(value)
        elif type(value) is str and _PLAIN(value):
            texts.append(f"'{value}'")
        else:
            return None
    return sql % (dict(zip(parameters, texts, strict=True)) if isinstance(parameters, dict) else tuple(texts))


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


def texts(values: Iterable[str | None]) -> str:
    """Return an array of texts, escaped, or NULLs."""
    quoted = [
        "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for value in values
    ]
    return f"{{{','.join(quoted)}}}"
