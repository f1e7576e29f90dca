"""Offers and records of couriers, for tests of quotes, capacity and booking."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from alliance.models import City, Organisation
from alliance.tenancy import Scope, scope
from slas.models import CapacityDay, Offer, OnTimeRate, ServiceTier

SHANGHAI = ZoneInfo("Asia/Shanghai")


def today_at(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
    """A wall-clock time in China, on a Tuesday no holiday is near: 2026-11-24, or days from it."""
    return datetime(2026, 11, 24, hour, minute, tzinfo=SHANGHAI) + timedelta(days=days)


def offer(courier: Organisation, origin: City, destination: City, **given: Any) -> Offer:
    tier = ServiceTier.objects.get(code=given.pop("tier", "next_day"))
    values = {"price_fen": 1200, "daily_capacity": 20, **given}
    with scope(Scope.everything()):
        return Offer.objects.create(
            courier_id=courier.pk, tier=tier, origin=origin, destination=destination, **values
        )


def record(offer: Offer, day: date, **counts: int) -> OnTimeRate:
    """The outcomes of the courier's deliveries on the offer's lane that fell due on a day."""
    with scope(Scope.everything()):
        return OnTimeRate.objects.create(
            organisation_id=offer.courier_id,
            kind="delivery",
            tier=offer.tier,
            origin=offer.origin,
            destination=offer.destination,
            due_date=day,
            **counts,
        )


def fill(offer: Offer, day: date, reserved: int | None = None) -> CapacityDay:
    """Reserve places of an offer's day: all of them by default."""
    limit = offer.daily_capacity
    with scope(Scope.everything()):
        return CapacityDay.objects.create(
            offer=offer,
            courier_id=offer.courier_id,
            date=day,
            limit=limit,
            reserved=limit if reserved is None else reserved,
        )


def reserved(offer: Offer, day: date) -> int:
    with scope(Scope.everything()):
        result = CapacityDay.objects.filter(offer=offer, date=day).first()
    return result.reserved if result else 0


def in_threads(work: Callable[[int], object], count: int) -> list[object]:
    """Run the work side by side, a connection each, and return what each returned or raised."""

    def one(number: int) -> object:
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 -- the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))
