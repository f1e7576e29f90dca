"""Which homes a courier's parcels are in, and where its new ones go."""

import time
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from alliance.database.distribution.holders import Holder
from alliance.homes import ALL_HOMES, HOMES
from alliance.identifiers import moment_of
from alliance.small_tables import Recent
from alliance.tenancy import Scope, raw_rows, scope

# How long a process may not know of a change. Changes are noted longer than that ahead.
SECONDS: Final = 30.0

_HOMES = """
SELECT courier_id, home, extract(epoch FROM since)::float8, extract(epoch FROM until)::float8
FROM couriers_courierhome WHERE courier_id = ANY(%s) ORDER BY courier_id, home
"""
_CARRIERS = "SELECT courier_id FROM alliance_acquaintance WHERE merchant_id = %s"
_LOAD = """
SELECT home, count(*), sum(share_ppm) FROM couriers_courierhome
WHERE home IS NOT NULL AND (until IS NULL OR until > now()) GROUP BY home
"""

_HOLDERS = """
SELECT o.name, coalesce(array_agg(h.home ORDER BY h.home) FILTER (WHERE h.home IS NOT NULL), '{}'),
    coalesce(sum(h.share_ppm), 0)
FROM couriers_courier c JOIN alliance_organisation o ON o.id = c.organisation_id
LEFT JOIN couriers_courierhome h ON h.courier_id = o.id AND (h.until IS NULL OR h.until > now())
WHERE position(lower(%s) IN lower(o.name)) > 0
GROUP BY o.id, o.name
"""


class _Home(NamedTuple):
    home: int | None
    # Seconds since 1970: compared with every booking.
    since: float
    until: float


class HomeLoad(NamedTuple):
    """How many couriers send new parcels to a home, and how much of the traffic, in millionths."""

    couriers: int = 0
    share_ppm: int = 0


def homes_for_new(courier_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Return the homes among which each courier's new parcels are drawn: all, if it has none of its own."""
    now = time.time()
    return {
        courier_id: tuple(
            row.home for row in rows if row.home is not None and row.since <= now < row.until
        ) or ALL_HOMES
        for courier_id, rows in _RECENT.of(courier_ids).items()
    }  # fmt: skip


def homes_to_read(courier_id: int, *, from_id: int = 0) -> tuple[int, ...]:
    """Return the homes that may have parcels of a courier: new ones, and those of the id `from_id` or later.

    All of them for a courier of which that is not known.
    """
    return _homes_with_parcels([courier_id], from_id)


def homes_of_merchant(merchant_id: int, *, from_id: int = 0) -> tuple[int, ...]:
    """Return the homes that may have parcels of a merchant, of the id `from_id` or later.

    Those of all couriers that it has ever booked. Needs its scope.
    """
    couriers = {courier_id for (courier_id,) in raw_rows(_CARRIERS, [merchant_id])}
    return _homes_with_parcels(couriers, from_id)


def load_by_home() -> list[HomeLoad]:
    """Return what each home has, in their order."""
    load = {home: HomeLoad(couriers, share_ppm) for home, couriers, share_ppm in raw_rows(_LOAD)}
    return [load.get(home, HomeLoad()) for home in range(HOMES)]


def holders(search: str) -> list[Holder]:
    """Return the couriers with a text in their names, and their homes; in the scope of everything."""
    return [Holder(*row) for row in raw_rows(_HOLDERS, [search])]


def _homes_with_parcels(courier_ids: Collection[int], from_id: int) -> tuple[int, ...]:
    moment, homes = moment_of(from_id).timestamp(), set[int]()
    for rows in _RECENT.of(courier_ids).values():
        of_one = {row.home for row in rows if row.until > moment}
        if None in of_one or not of_one:
            return ALL_HOMES
        homes |= {home for home in of_one if home is not None}
    return tuple(sorted(homes))


def _read(courier_ids: set[int]) -> dict[int, tuple[_Home, ...]]:
    found: dict[int, list[_Home]] = {courier_id: [] for courier_id in courier_ids}
    # Whoever books sends parcels to couriers whose homes are not its own.
    with scope(Scope.everything()):
        for courier_id, home, since, until in raw_rows(_HOMES, [[*courier_ids]]):
            found[courier_id].append(_Home(home, since, float("inf") if until is None else until))
    return {courier_id: tuple(rows) for courier_id, rows in found.items()}


_RECENT: Final = Recent(_read, seconds=SECONDS)
