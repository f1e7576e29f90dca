"""Turns of the watch list: what is due soon is looked at by every refresh, what is due later in turns."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from alliance.celery import app
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel
from slas.choices import WatchReason
from slas.forecasts.watch_rules import NEAR, REFRESH, TURNS, turns_since
from slas.models import WatchItem
from tests.parcels.helpers.parcel_views import scan
from tests.parcels.helpers.watch_list import HOUR, due_in, history, refresh, watched

Company = Organisation
ALL = list(range(TURNS))
# The first moment of a refresh's five minutes, and of its turn 0.
BEGIN = datetime.fromtimestamp(REFRESH.total_seconds() * TURNS * 900_000, UTC)


@pytest.mark.parametrize(
    ("minutes", "turns"),
    [
        (0, []),
        (4, []),
        (5, [1]),
        (14, [1, 2]),
        (25, [1, 2, 3, 4, 5]),
        (30, ALL),
        (600, ALL),
        # A clock that was put back.
        (-5, ALL),
    ],
)
def test_turns_are_those_of_the_time_that_passed(minutes: int, turns: list[int]) -> None:
    assert turns_since(BEGIN, BEGIN + timedelta(minutes=minutes)) == turns


def test_all_turns_come_in_the_first_refresh_and_within_any_half_hour() -> None:
    assert turns_since(None, BEGIN) == ALL
    for minutes in (3, 5, 7, 11):
        moments = [BEGIN + timedelta(minutes=minutes * n) for n in range(1 + 30 // minutes + 1)]
        came = {turn for last, now in pairwise(moments) for turn in turns_since(last, now)}
        assert came == set(ALL)


def test_the_beat_refreshes_as_often_as_the_turns_say() -> None:
    assert app.conf.beat_schedule["refresh-watch-list"]["schedule"] == REFRESH.total_seconds()


@pytest.fixture
def parcels(merchant_organisation: Company, courier_organisation: Company) -> list[Parcel]:
    """On their way, due in ten hours, and as likely as not to be late; on the list since half an hour."""
    parcels = due_in(merchant_organisation, courier_organisation, 10, count=12)
    history(courier_organisation, [-60] * 50 + [60] * 50, like=parcels[0])
    for parcel in parcels:
        scan(parcel, "picked_up", 2)
    for turn in range(-TURNS, 0):
        refresh(now=parcels[0].booked_at + 20 * HOUR + turn * REFRESH)
    assert on_list() == {parcel.pk for parcel in parcels}
    return parcels


@pytest.mark.django_db
def test_what_is_due_later_is_looked_at_when_its_turn_comes(parcels: list[Parcel]) -> None:
    now = parcels[0].booked_at + 20 * HOUR
    for turn in range(TURNS):
        at = now + turn * REFRESH
        [mine] = turns_since(at - REFRESH, at)
        looked_at = {parcel.pk for parcel in parcels if parcel.pk % TURNS == mine}
        assert refresh(now=at).parcels == len(looked_at)
        assert {pk for pk, seen_at in seen().items() if seen_at == at} == looked_at
    assert min(seen().values()) == now


@pytest.mark.django_db
def test_what_is_due_soon_is_looked_at_every_time(parcels: list[Parcel]) -> None:
    soon = parcels[0].booked_at + 30 * HOUR - NEAR
    refresh(now=soon - REFRESH)
    for turn in range(3):
        assert refresh(now=soon + turn * REFRESH).parcels == len(parcels)


@pytest.mark.django_db
def test_what_missed_its_turn_is_made_up_for(parcels: list[Parcel]) -> None:
    assert refresh(now=parcels[0].booked_at + 23 * HOUR).parcels == len(parcels)


@pytest.mark.django_db
def test_what_happens_to_a_parcel_on_the_list_does_not_wait_for_its_turn(
    parcels: list[Parcel],
) -> None:
    at = parcels[0].booked_at + 20 * HOUR
    [mine] = turns_since(at - REFRESH, at)
    [delivered, *_rest] = [parcel for parcel in parcels if parcel.pk % TURNS != mine]
    scan(delivered, "delivered", 19.9)
    assert refresh(now=at).removed == 1
    assert on_list() == {parcel.pk for parcel in parcels} - {delivered.pk}


@pytest.mark.django_db
def test_what_is_wrong_already_is_looked_at_every_time(parcels: list[Parcel]) -> None:
    now = parcels[0].booked_at + 20 * HOUR
    scan(parcels[0], "damaged", 19)
    for turn in range(TURNS):
        at = now + turn * REFRESH
        refresh(now=at)
        assert WatchReason.EXCEPTION in watched(parcels[0])
        assert seen()[parcels[0].pk] == at


def on_list() -> set[int]:
    return set(seen())


def seen() -> dict[int, datetime]:
    """When each parcel on the list was looked at last."""
    with scope(Scope.everything()):
        return dict(WatchItem.objects.values_list("parcel_id", "refreshed_at"))
