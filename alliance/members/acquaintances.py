"""Which merchants and couriers have parcels in common, and so know each other's names.

A policy of the organisations asks it (`alliance_knows`, in migrations), as it may hold no subquery. Must be
written before the parcels: without it a courier's lists, which join names, would not show them.
"""

from collections.abc import Iterable

from django.db import transaction

from alliance.tenancy import raw_rows

# Sorted, so that two bookings of several new pairs wait for each other in one order.
_ADD = """
INSERT INTO alliance_acquaintance (merchant_id, courier_id)
SELECT merchant_id, courier_id FROM unnest(%s::bigint[], %s::bigint[]) AS pair (merchant_id, courier_id)
ORDER BY merchant_id, courier_id
ON CONFLICT DO NOTHING
"""
# Pairs that are in the database; they stay there.
_known: set[tuple[int, int]] = set()


def acquaint(pairs: Iterable[tuple[int, int]]) -> None:
    """Note that a merchant's parcels go by a courier, for pairs of their ids. May run twice."""
    missing = set(pairs) - _known
    if not missing:
        return
    raw_rows(_ADD, [list(ids) for ids in zip(*sorted(missing), strict=True)])
    transaction.on_commit(lambda: _known.update(missing))


def forget_acquaintances() -> None:
    _known.clear()
