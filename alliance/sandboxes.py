"""Sandboxes: a merchant's test mode is an organisation of its own, known by its id alone. Pure.

The id of a sandbox is its merchant's plus OFFSET, so that policies, statements and code tell test data from
live data by the merchant's id, which all of it carries, without a column and without a look-up. See
docs/test-mode.md.
"""

from typing import Final

# Of sixteen digits, beyond all that the sequence of organisations will ever give.
OFFSET: Final = 10**15
# Scopes of merchants have at most so many characters; those of sandboxes have more.
LONGEST_LIVE_SCOPE: Final = len("merchant:") + len(str(OFFSET - 1))


def is_sandbox(organisation_id: int | None) -> bool:
    return organisation_id is not None and organisation_id >= OFFSET


def sandbox_of(organisation_id: int) -> int:
    """Return the id of a merchant's sandbox; of a sandbox, its own."""
    return live_of(organisation_id) + OFFSET


def live_of(organisation_id: int) -> int:
    """Return the id of the merchant whose sandbox it is; of any other organisation, its own."""
    return organisation_id % OFFSET
