"""Turns of the watch list: every refresh checks parcels due soon, and those due later in turns."""

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
# The start of a refresh's five minutes, and of its turn 0.
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
        # A clock that was set back.
        (-5, ALL),
    ],
)
def test_turns_follow_the_elapsed_time(minutes: int, turns: list[int]) -> None:
    assert turns_since(BEGIN, BEGIN + timedelta(minutes=minutes)) == turns


def test_first_refresh_and_every_half_hour_cover_all_turns() -> None:
    assert turns_since(None, BEGIN) == ALL
    for minutes in (3, 5, 7, 11):
        moments = [BEGIN + timedelta(minutes=minutes * n) for n in range(1 + 30 // minutes + 1)]
        came = {turn for last, now in pairwise(moments) for turn in turns_since(last, now)}
        assert came == set(ALL)


def test_beat_interval_matches_the_turns() -> None:
    assert app.conf.beat_schedule["refresh-watch-list"]["schedule"] == REFRESH.total_seconds()


@pytest.fixture
def parcels(merchant_organisation: Company, courier_organisation: Company) -> list[Parcel]:
    """Parcels in transit, due in ten hours, with an even chance of being late; listed half an hour ago."""
    parcels = due_in(merchant_organisation, courier_organisation, 10, count=12)
    history(courier_organisation, [-60] * 50 + [60] * 50, like=parcels[0])
    for parcel in parcels:
        scan(parcel, "picked_up", 2)
    for turn in range(-TURNS, 0):
        refresh(now=parcels[0].booked_at + 20 * HOUR + turn * REFRESH)
    assert on_list() == {parcel.pk for parcel in parcels}
    return parcels


@pytest.mark.django_db
def test_parcels_due_later_are_checked_in_their_turn(parcels: list[Parcel]) -> None:
    now = parcels[0].booked_at + 20 * HOUR
    for turn in range(TURNS):
        at = now + turn * REFRESH
        [mine] = turns_since(at - REFRESH, at)
        looked_at = {parcel.pk for parcel in parcels if parcel.pk % TURNS == mine}
        assert refresh(now=at).parcels == len(looked_at)
        assert {pk for pk, seen_at in last_checked().items() if seen_at == at} == looked_at
    # Each once in the round; by chance of its id, the first turn may have none.
    assert min(last_checked().values()) >= now


@pytest.mark.django_db
def test_parcels_due_soon_are_checked_every_time(parcels: list[Parcel]) -> None:
    soon = parcels[0].booked_at + 30 * HOUR - NEAR
    refresh(now=soon - REFRESH)
    for turn in range(3):
        assert refresh(now=soon + turn * REFRESH).parcels == len(parcels)


@pytest.mark.django_db
def test_missed_turns_are_caught_up(parcels: list[Parcel]) -> None:
    assert refresh(now=parcels[0].booked_at + 23 * HOUR).parcels == len(parcels)


@pytest.mark.django_db
def test_listed_parcel_with_an_event_does_not_wait_for_its_turn(
    parcels: list[Parcel],
) -> None:
    at = parcels[0].booked_at + 20 * HOUR
    [mine] = turns_since(at - REFRESH, at)
    [delivered, *_rest] = [parcel for parcel in parcels if parcel.pk % TURNS != mine]
    scan(delivered, "delivered", 19.9)
    assert refresh(now=at).removed == 1
    assert on_list() == {parcel.pk for parcel in parcels} - {delivered.pk}


@pytest.mark.django_db
def test_listed_parcels_in_trouble_are_checked_every_time(parcels: list[Parcel]) -> None:
    now = parcels[0].booked_at + 20 * HOUR
    scan(parcels[0], "damaged", 19.9)
    for turn in range(TURNS):
        at = now + turn * REFRESH
        refresh(now=at)
        assert WatchReason.EXCEPTION in watched(parcels[0])
        assert last_checked()[parcels[0].pk] == at


def on_list() -> set[int]:
    return set(last_checked())


def last_checked() -> dict[int, datetime]:
    """When each parcel on the list was last checked."""
    with scope(Scope.everything()):
        return dict(WatchItem.objects.values_list("parcel_id", "refreshed_at"))
