"""Count what was booked and cancelled on each day, and make the months that are over final."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import Max

from alliance.database.literals import numbers
from alliance.database.slices import delete_in_slices
from alliance.locks import Lock, try_to_take
from alliance.tenancy import Scope, raw_rows, scope
from couriers.models import Courier
from parcels.bookings.querysets import first_id
from parcels.freight.models import FreightDay, FreightMonth, FreightSum
from slas.credits.models import ClosedMonth
from slas.credits.months import ZONE, month_of, next_month
from slas.credits.services.closing import last_closed
from slas.credits.services.entries import lock_books

# No booking or cancellation of a day is still on its way to the database so long after it.
SETTLED_AFTER: Final = timedelta(hours=1)
# Final months whose sums of days are kept: to see what a statement was made of.
SUMS_KEPT_MONTHS: Final = 3
# A fee counts on the day of the id, which is that of the booking. What came from before a courier joined has
# no fee.
_BOOKED: Final = """
SELECT merchant_id, tier_id, count(*), sum(fee_fen)::bigint FROM parcels_parcel
WHERE courier_id = %(courier_id)s AND id >= %(first)s AND id < %(end)s AND fee_fen IS NOT NULL
GROUP BY merchant_id, tier_id
"""
_CANCELLED: Final = """
SELECT merchant_id, tier_id, count(*), sum(fee_fen)::bigint FROM parcels_parcel
WHERE courier_id = %(courier_id)s AND cancelled_at >= %(start)s AND cancelled_at < %(stop)s
    AND fee_fen IS NOT NULL
GROUP BY merchant_id, tier_id
"""
_NUMBERS: Final = ("merchant_id", "tier_id", "booked_count", "fees_fen", "cancelled_count", "cancelled_fen")
_WRITE: Final = """
INSERT INTO parcels_freightsum (day, month, courier_id, merchant_id, tier_id, booked_count, fees_fen,
    cancelled_count, cancelled_fen)
SELECT %(day)s::date, %(month)s::date, %(courier_id)s, u.* FROM unnest(%(merchant_id)s::bigint[],
    %(tier_id)s::int[], %(booked_count)s::int[], %(fees_fen)s::bigint[], %(cancelled_count)s::int[],
    %(cancelled_fen)s::bigint[]) AS u
RETURNING 1
"""
# What the sums, the surcharges and the credits of a month are to each pair. All three are local tables.
_STATE: Final = """
INSERT INTO parcels_freightstatement (month, merchant_id, courier_id, booked_count, fees_fen, cancelled_count,
    cancelled_fen, surcharges_fen, credits_fen, settled_reference, settled_note)
SELECT %(month)s::date, merchant_id, courier_id, sum(booked), sum(fees), sum(cancelled), sum(back),
    sum(more), sum(credits), '', ''
FROM (
    SELECT merchant_id, courier_id, booked_count AS booked, fees_fen AS fees, cancelled_count AS cancelled,
        cancelled_fen AS back, 0::bigint AS more, 0::bigint AS credits
    FROM parcels_freightsum WHERE month = %(month)s AND courier_id = %(courier_id)s
    UNION ALL
    SELECT merchant_id, courier_id, 0, 0, 0, 0, amount_fen, 0
    FROM parcels_surcharge WHERE month = %(month)s AND courier_id = %(courier_id)s
    UNION ALL
    SELECT merchant_id, courier_id, 0, 0, 0, 0, 0, credited_fen + taken_back_fen
    FROM slas_creditsum WHERE month = %(month)s AND courier_id = %(courier_id)s
) AS line
GROUP BY merchant_id, courier_id
ON CONFLICT (merchant_id, month, courier_id) DO NOTHING
RETURNING 1
"""


def count_freight(*, now: datetime) -> int:
    """Count the days that are not final yet, today included; then close what can be. Return how many days.

    A day of a courier is counted as a whole and replaces what was there, in one transaction: may run twice,
    side by side, or be killed anywhere.
    """
    counted = 0
    with scope(Scope.everything()):
        couriers = list(Courier.objects.order_by("pk").values_list("pk", flat=True))
        days = list(_due(now))
    for day in days:
        for courier_id in couriers:
            with scope(Scope.everything()):
                if not try_to_take(Lock.COUNT_FREIGHT):
                    return counted
                _count(day, courier_id)
        with scope(Scope.everything()):
            FreightDay.objects.update_or_create(pk=day, defaults={"counted_at": now})
        counted += 1
    close_freight(now=now)
    return counted


def close_freight(*, now: datetime) -> list[date]:
    """Make the freight of months final whose credits are, and whose days are all counted. Return them.

    Each courier's statements are written by themselves; again, nothing changes.
    """
    closed = []
    with scope(Scope.everything()):
        months = list(ClosedMonth.objects.order_by("month").values_list("month", flat=True))
        done = {*FreightMonth.objects.values_list("month", flat=True)}
        couriers = list(Courier.objects.values_list("pk", flat=True))
        ready = [month for month in months if month not in done and _is_counted(month)]
    for month in ready:
        for courier_id in couriers:
            with scope(Scope.everything()):
                # Waits for surcharges that are being entered; of a closed month there come no more.
                lock_books(closing=True)
                raw_rows(_STATE, {"month": month, "courier_id": courier_id})
        with scope(Scope.everything()):
            FreightMonth.objects.get_or_create(pk=month, defaults={"closed_at": now})
        closed.append(month)
    if closed:
        _forget_sums(couriers, before=closed[-1])
    return closed


def _forget_sums(couriers: Sequence[int], *, before: date) -> None:
    """Delete the sums of days of final months, some months after: their statements stay."""
    oldest = before
    for _month in range(SUMS_KEPT_MONTHS - 1):
        oldest = month_of(start_of_day(oldest) - timedelta(days=1))
    final = FreightMonth.objects.values("month")
    for courier_id in couriers:
        rows = FreightSum.objects.filter(courier_id=courier_id, month__lt=oldest, month__in=final)
        delete_in_slices(rows, order="month")


def _due(now: datetime) -> Iterator[date]:
    today = now.astimezone(ZONE).date()
    newest = FreightDay.objects.aggregate(newest=Max("day"))["newest"]
    if newest is None:
        # Months that were closed before there was freight have none.
        last = last_closed()
        day = next_month(last) if last > date.min else month_of(month_start(now) - timedelta(days=1))
    else:
        final = FreightDay.objects.order_by("-day").values_list("day", "counted_at")[:70]
        open_days = [day for day, counted_at in final if counted_at < end_of(day) + SETTLED_AFTER]
        day = min(open_days, default=newest + timedelta(days=1))
    while day <= today:
        yield day
        day += timedelta(days=1)


def _is_counted(month: date) -> bool:
    """Whether each day of a month was counted after it was over."""
    days = FreightDay.objects.filter(day__gte=month, day__lt=next_month(month))
    final = [day for day, at in days.values_list("day", "counted_at") if at >= end_of(day) + SETTLED_AFTER]
    return len(final) == (next_month(month) - month).days


def start_of_day(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def end_of(day: date) -> datetime:
    return start_of_day(day + timedelta(days=1))


def month_start(now: datetime) -> datetime:
    return start_of_day(month_of(now))


def _count(day: date, courier_id: int) -> None:
    tomorrow = day + timedelta(days=1)
    of_day = {
        "courier_id": courier_id,
        "first": first_id(day, ZONE),
        "end": first_id(tomorrow, ZONE),
        "start": start_of_day(day),
        "stop": end_of(day),
    }
    sums: dict[tuple[int, int], list[int]] = {}
    for place, query in ((0, _BOOKED), (2, _CANCELLED)):
        for merchant_id, tier_id, count, fen in raw_rows(query, of_day):
            sums.setdefault((merchant_id, tier_id), [0, 0, 0, 0])[place : place + 2] = [count, fen]
    FreightSum.objects.filter(courier_id=courier_id, day=day).delete()
    if sums:
        rows = [(*key, *sums[key]) for key in sorted(sums)]
        columns: dict[str, Any] = {
            name: numbers(column) for name, column in zip(_NUMBERS, zip(*rows, strict=True), strict=True)
        }
        values = {"day": day, "month": day.replace(day=1), "courier_id": courier_id}
        raw_rows(_WRITE, {**values, **columns})
