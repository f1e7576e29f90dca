"""Capacity: reserve and release places of an offer on a pickup day.

A day's row is created by its first reservation. Rows are always locked in the order of (offer, day), in one
statement per round, so that bookings never deadlock.

A sandbox sees how many places are left, and takes and gives back none.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import NamedTuple

from django.db import DatabaseError, connection

from alliance.database.literals import moments, numbers
from alliance.database.postgresql.messages import Savepoint, Unanswered
from alliance.tenancy import current_scope, raw_rows
from slas.offers.sql import MAKE_DAYS, NO_ROOM, RESERVE, RESERVE_OR_FAIL


class Slot(NamedTuple):
    """One offer on one pickup day."""

    offer_id: int
    date: date


class Taken(Exception):
    """Not every slot had the requested room; nothing was reserved."""


def places_left(slots: Iterable[Slot]) -> dict[Slot, int]:
    """Return how many parcels each slot still takes, without offers hidden from the actor."""
    unique_slots = sorted(set(slots))
    if not unique_slots:
        return {}
    rows = raw_rows(
        """
        SELECT o.id, w.date, greatest(coalesce(d."limit", o.daily_capacity) - coalesce(d.reserved, 0), 0)
        FROM unnest(%(offer_id)s::bigint[], %(date)s::date[]) AS w(offer_id, date)
        JOIN slas_offer o ON o.id = w.offer_id
        LEFT JOIN slas_capacityday d ON d.offer_id = w.offer_id AND d.date = w.date
        """,
        _columns(unique_slots),
    )
    return {Slot(offer_id, day): left for offer_id, day, left in rows}


def reserve(demands: Mapping[Slot, int]) -> None:
    """Reserve n places in each slot, or none at all.

    Raises Taken when one of them has too little room by now. The caller reads the capacity again and decides
    anew.
    """
    if _takes(demands):
        [(has_room,)] = raw_rows(RESERVE.call, demand_columns(demands))
        if not has_room:
            raise Taken


@contextmanager
def reserving_first(demands: Mapping[Slot, int]) -> Iterator[None]:
    """Reserve n places in each slot in the message of the next statement, which is sent inside the block.

    Raises Taken when one of them has too little room by now: then that statement was not run either.
    """
    if not _takes(demands):
        yield
        return
    with connection.cursor() as cursor:
        # Released before anything is sent to a worker of a cluster, which would be sent the release, too.
        cursor.execute(Savepoint("SAVEPOINT reserving"))
        cursor.execute(Unanswered(RESERVE_OR_FAIL.call), demand_columns(demands))
        cursor.execute(Savepoint("RELEASE SAVEPOINT reserving"))
    try:
        yield
    except DatabaseError as error:
        if getattr(error.__cause__, "pgcode", None) != NO_ROOM:
            raise
        raw_rows("ROLLBACK TO SAVEPOINT reserving")
        raise Taken from None


def demand_columns(demands: Mapping[Slot, int]) -> dict[str, str]:
    """Return the parameters of RESERVE."""
    taken = demands if _takes(demands) else {}
    demanded = sorted((slot, n) for slot, n in taken.items() if n > 0)
    return {**_columns([slot for slot, _n in demanded]), "n": numbers(n for _slot, n in demanded)}


def lock(slots: Iterable[Slot]) -> None:
    """Lock the slots until the transaction ends, so that their capacity does not change."""
    unique_slots = [] if current_scope().is_sandbox else sorted(set(slots))
    if not unique_slots:
        return
    raw_rows(MAKE_DAYS, _columns(unique_slots))
    raw_rows(
        """
        SELECT d.id FROM slas_capacityday d
        JOIN unnest(%(offer_id)s::bigint[], %(date)s::date[]) AS w(offer_id, date) USING (offer_id, date)
        ORDER BY d.offer_id, d.date FOR UPDATE OF d
        """,
        _columns(unique_slots),
    )


def release(places: Mapping[Slot, int]) -> None:
    """Release places. The caller ensures that each is released only once."""
    released = sorted((slot, n) for slot, n in places.items() if n > 0)
    if not released or current_scope().is_sandbox:
        return
    raw_rows(
        """
        WITH wanted AS (
            SELECT * FROM unnest(%(offer_id)s::bigint[], %(date)s::date[], %(n)s::int[])
                AS w(offer_id, date, n)
        ), locked AS (
            SELECT d.id, w.n FROM slas_capacityday d
            JOIN wanted w ON w.offer_id = d.offer_id AND w.date = d.date
            ORDER BY d.offer_id, d.date FOR UPDATE OF d
        )
        UPDATE slas_capacityday d SET reserved = greatest(d.reserved - l.n, 0) FROM locked l WHERE d.id = l.id
        """,
        {**_columns([slot for slot, _n in released]), "n": numbers(n for _slot, n in released)},
    )


def follow_offers(offer_ids: Iterable[int], *, first_day: date) -> None:
    """Set the limit of the days from `first_day` on to the current capacity of their offers.

    A limit may fall below the reserved number: bookings stay, and no more are accepted.
    """
    raw_rows(
        """
        WITH locked AS (
            SELECT d.id, o.daily_capacity FROM slas_capacityday d JOIN slas_offer o ON o.id = d.offer_id
            WHERE d.offer_id = ANY(%s) AND d.date >= %s ORDER BY d.offer_id, d.date FOR UPDATE OF d
        )
        UPDATE slas_capacityday d SET "limit" = l.daily_capacity FROM locked l WHERE d.id = l.id
        """,
        [list(offer_ids), first_day],
    )


def _takes(demands: Mapping[Slot, int]) -> bool:
    return any(demands.values()) and not current_scope().is_sandbox


def _columns(slots: list[Slot]) -> dict[str, str]:
    return {
        "offer_id": numbers(slot.offer_id for slot in slots),
        "date": moments(slot.date for slot in slots),
    }
