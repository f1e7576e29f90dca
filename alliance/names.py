"""Find organisations and users by any part of their names, among millions: the one way for all doors.

The functions of the database (alliance/migrations/0009_functions_of_names.py) find what the scope shows,
newest first. They look at no more than a page needs: a part that millions have costs no more than a rare one.
"""

from typing import Final

from alliance.tenancy import raw_rows
from alliance.texts import one_line

# Rows that a list of something else is filtered by, such as keys by the names of their organisations.
MOST: Final = 100
# As many letters as a name may have.
_LONGEST: Final = 200


def organisations_named(
    text: str, *, kind: str = "", beyond: int | None = None, upwards: bool = False, most: int = MOST
) -> list[int]:
    """Return ids of other organisations that have the text in their name, or as their short name.

    Newest first, only ids below `beyond`; with `upwards` oldest first, only ids above it.
    """
    term = term_of(text)
    return _ids("alliance_organisations_named", [term, kind, beyond, upwards, most]) if term else []


def users_named(
    text: str, *, beyond: int | None = None, upwards: bool = False, most: int = MOST
) -> list[int]:
    """Return ids of users that have the text in their name or e-mail address; the order is as above.

    One or two letters are looked for in names only, what begins an address, such as `shop-12`, only there.
    """
    term = term_of(text)
    return _ids("alliance_users_named", [term, beyond, upwards, most]) if term else []


def term_of(text: str) -> str:
    """Return what is looked for: a text that was typed, without what nobody sees."""
    return one_line(text.replace("\0", ""))[:_LONGEST]


def _ids(function: str, parameters: list[object]) -> list[int]:
    places = ", ".join(["%s"] * len(parameters))
    rows = raw_rows(f"SELECT * FROM {function}({places})", parameters)  # noqa: S608 -- built of constants
    return [row[0] for row in rows]
