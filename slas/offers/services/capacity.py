"""Places: how many parcels of an offer are taken for a pickup day, and how many may be.

A day's row is made by its first reservation. Rows are always locked in the order of (offer, day),
in one statement a round, so that bookings never wait for each other in a circle.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from django.db import transaction

from alliance.tenancy import raw_rows


class Slot(NamedTuple):
    """One offer on one pickup day."""

    offer_id: int
    date: date


class Taken(Exception):
    """Not every slot had the room asked for; nothing was reserved."""


def places_left(slots: Iterable[Slot]) -> dict[Slot, int]:
    """Return how many parcels each slot still takes. Offers one may not see are left out."""
    wanted = sorted(set(slots))
    if not wanted:
        return {}
    rows = raw_rows(
        """
        SELECT o.id, w.date, greatest(coalesce(d."limit", o.daily_capacity) - coalesce(d.reserved, 0), 0)
        FROM unnest(%s::bigint[], %s::date[]) AS w(offer_id, date)
        JOIN slas_offer o ON o.id = w.offer_id
        LEFT JOIN slas_capacityday d ON d.offer_id = w.offer_id AND d.date = w.date
        """,
        _columns(wanted),
    )
    return {Slot(offer_id, day): left for offer_id, day, left in rows}


def reserve(demands: Mapping[Slot, int]) -> None:
    """Take n places in each slot, or none at all.

    Raises Taken when one of them lacks the room by now. The caller looks again and decides anew.
    """
    wanted = sorted((slot, n) for slot, n in demands.items() if n > 0)
    if not wanted:
        return
    slots = [slot for slot, _n in wanted]
    # The savepoint lets go of the locks already taken when one slot turns out to be full.
    with transaction.atomic():
        _make_days(slots)
        done = raw_rows(
            """
            WITH wanted AS (
                SELECT * FROM unnest(%s::bigint[], %s::date[], %s::int[]) AS w(offer_id, date, n)
            ), locked AS (
                SELECT d.id, w.n FROM slas_capacityday d
                JOIN wanted w ON w.offer_id = d.offer_id AND w.date = d.date
                ORDER BY d.offer_id, d.date FOR UPDATE OF d
            )
            UPDATE slas_capacityday d SET reserved = d.reserved + l.n
            FROM locked l WHERE d.id = l.id AND d.reserved + l.n <= d."limit"
            RETURNING d.id
            """,
            [*_columns(slots), [n for _slot, n in wanted]],
        )
        if len(done) < len(wanted):
            raise Taken


def lock(slots: Iterable[Slot]) -> None:
    """Hold the slots until the transaction ends, so that what is left does not change any more."""
    wanted = sorted(set(slots))
    if not wanted:
        return
    _make_days(wanted)
    raw_rows(
        """
        SELECT d.id FROM slas_capacityday d
        JOIN unnest(%s::bigint[], %s::date[]) AS w(offer_id, date) USING (offer_id, date)
        ORDER BY d.offer_id, d.date FOR UPDATE OF d
        """,
        _columns(wanted),
    )


def release(places: Mapping[Slot, int]) -> None:
    """Give places back. The caller sees to it that each is given back once."""
    wanted = sorted((slot, n) for slot, n in places.items() if n > 0)
    if not wanted:
        return
    raw_rows(
        """
        WITH wanted AS (
            SELECT * FROM unnest(%s::bigint[], %s::date[], %s::int[]) AS w(offer_id, date, n)
        ), locked AS (
            SELECT d.id, w.n FROM slas_capacityday d
            JOIN wanted w ON w.offer_id = d.offer_id AND w.date = d.date
            ORDER BY d.offer_id, d.date FOR UPDATE OF d
        )
        UPDATE slas_capacityday d SET reserved = greatest(d.reserved - l.n, 0) FROM locked l WHERE d.id = l.id
        """,
        [*_columns([slot for slot, _n in wanted]), [n for _slot, n in wanted]],
    )


def follow_offers(offer_ids: Iterable[int], *, first_day: date) -> None:
    """Give the days from then on the daily capacity their offers have now.

    A limit may come to lie under what is reserved: nothing booked is undone, nothing more is sold.
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


def _make_days(slots: list[Slot]) -> None:
    raw_rows(
        """
        INSERT INTO slas_capacityday (offer_id, courier_id, date, "limit", reserved)
        SELECT o.id, o.courier_id, w.date, o.daily_capacity, 0
        FROM unnest(%s::bigint[], %s::date[]) AS w(offer_id, date)
        JOIN slas_offer o ON o.id = w.offer_id
        WHERE NOT EXISTS (SELECT FROM slas_capacityday d WHERE d.offer_id = w.offer_id AND d.date = w.date)
        ORDER BY o.id, w.date
        ON CONFLICT (offer_id, date) DO NOTHING
        """,
        _columns(slots),
    )


def _columns(slots: list[Slot]) -> list[object]:
    return [[slot.offer_id for slot in slots], [slot.date for slot in slots]]
