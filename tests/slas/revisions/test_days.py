"""The days a delivery can be moved to: worked cases and properties."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.clocks import local_clock
from slas.choices import ClosureSide, TierCode
from slas.promises.closures import ClosureCalendar, ClosureRule, Place
from slas.promises.rules import Step, StepCode, TierRule
from slas.revisions.rules import MOST_DAYS_ON, delivery_on, possible_days, span_after
from tests.helpers.profiles import scaled
from tests.slas.helpers import strategies
from tests.slas.helpers.journeys import NO_CLOSURES, daily

CHENGDU = Place(7, "Sichuan", "CN", "Asia/Shanghai")
NEW_YORK = Place(8, "New York", "US", "America/New_York")
# The Tuesday of the tests, 10:00 in China; promised for the evening.
NOW = datetime.fromisoformat("2026-11-24T10:00:00+08:00")
TONIGHT = datetime.fromisoformat("2026-11-24T20:00:00+08:00")


def tier(**given: Any) -> TierRule:
    values = {
        "code": TierCode.NEXT_DAY, "version": 1, "cut_offs": daily(time(18)), "pickup_by": time(20),
        "deliver_by": time(20), "days_in_transit": 1,
    }  # fmt: skip
    return TierRule(**{**values, **given})


def closed(day: str, **given: Any) -> ClosureRule:
    return ClosureRule(date=date.fromisoformat(day), **{"country": "CN", "name": "Typhoon", **given})


def days(
    rule: TierRule = tier(),  # noqa: B008 -- frozen
    *closures: ClosureRule,
    current_due_at: datetime = TONIGHT,
    now: datetime = NOW,
    place: Place = CHENGDU,
    most: int = 3,
) -> list[str]:
    days_offered = possible_days(
        rule, place, ClosureCalendar(closures), current_due_at=current_due_at, now=now
    )
    return [local_clock(item.due_at, place.zone).isoformat()[:16] for item in days_offered][:most]


WEEKDAYS = frozenset(range(5))
HOURS = {"starts": time(18), "ends": time(21)}
CASES = [
    # what, how it is asked, the first days offered
    ("the day after, at the tier's hour", {}, ["2026-11-25T20:00", "2026-11-26T20:00", "2026-11-27T20:00"]),
    ("a tier that delivers by ten", {"rule": tier(deliver_by=time(22))}, ["2026-11-25T22:00"]),
    (
        "a tier that rests at weekends",
        {"rule": tier(delivery_weekdays=WEEKDAYS)},
        ["2026-11-25T20:00", "2026-11-26T20:00", "2026-11-27T20:00", "2026-11-30T20:00"],
    ),
    (
        "a closure there",
        {"closures": [closed("2026-11-26")]},
        ["2026-11-25T20:00", "2026-11-27T20:00"],
    ),
    (
        "a closure of origins only",
        {"closures": [closed("2026-11-25", side=ClosureSide.ORIGIN)]},
        ["2026-11-25T20:00"],
    ),
    (
        "a closure of another province",
        {"closures": [closed("2026-11-25", province="Guangdong")]},
        ["2026-11-25T20:00"],
    ),
    (
        "a public holiday, of a tier that works on it",
        {"closures": [closed("2026-11-25", is_public_holiday=True)]},
        ["2026-11-25T20:00"],
    ),
    (
        "a public holiday, of a tier that rests",
        {"rule": tier(works_on_holidays=False), "closures": [closed("2026-11-25", is_public_holiday=True)]},
        ["2026-11-26T20:00"],
    ),
    (
        "hours that leave too little of the evening",
        {"closures": [closed("2026-11-25", starts=time(18), ends=time(23))]},
        ["2026-11-26T20:00"],
    ),
    (
        "hours that leave enough of it: two were left when it closed",
        {"closures": [closed("2026-11-25", **HOURS)]},
        ["2026-11-25T23:00", "2026-11-26T20:00"],
    ),
    (
        "after a day agreed on further ahead",
        {"current_due_at": TONIGHT + timedelta(days=5)},
        ["2026-11-30T20:00", "2026-12-01T20:00"],
    ),
    ("over the end of the year", {"current_due_at": TONIGHT + timedelta(days=37)}, ["2027-01-01T20:00"]),
    (
        "overdue since yesterday: today can still be",
        {"current_due_at": TONIGHT - timedelta(days=1)},
        ["2026-11-24T20:00", "2026-11-25T20:00"],
    ),
    (
        "overdue, and today's deadline has passed as well",
        {"current_due_at": TONIGHT - timedelta(days=1), "now": TONIGHT + timedelta(hours=1)},
        ["2026-11-25T20:00"],
    ),
    (
        "the day is the destination's",
        {"place": NEW_YORK, "current_due_at": datetime.fromisoformat("2026-11-24T20:00:00-05:00")},
        ["2026-11-25T20:00"],
    ),
    (
        "over a change of clocks",
        {
            "place": NEW_YORK,
            "current_due_at": datetime.fromisoformat("2026-10-31T20:00:00-04:00"),
            "now": datetime.fromisoformat("2026-10-31T10:00:00-04:00"),
        },
        ["2026-11-01T20:00"],
    ),
    ("on 29 February", {
        "current_due_at": datetime.fromisoformat("2028-02-28T20:00:00+08:00"),
        "now": datetime.fromisoformat("2028-02-28T09:00:00+08:00"),
    }, ["2028-02-29T20:00", "2028-03-01T20:00"]),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "offered"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_days_offered(asked: dict[str, Any], offered: list[str]) -> None:
    given = dict(asked)
    rule, closures = given.pop("rule", tier()), given.pop("closures", [])
    assert days(rule, *closures, most=len(offered), **given) == offered


def test_thirty_days_on_is_the_last() -> None:
    offered = days(most=99)
    assert (len(offered), offered[-1]) == (MOST_DAYS_ON, "2026-12-24T20:00")


def test_a_month_of_closures_leaves_none() -> None:
    first = date(2026, 11, 25)
    shut = [closed((first + timedelta(days=ahead)).isoformat()) for ahead in range(MOST_DAYS_ON)]
    assert days(tier(), *shut) == []


@pytest.mark.parametrize(
    ("day", "closures", "code"),
    [
        ("2026-11-28", [], StepCode.NO_DELIVERY_DAY),
        ("2026-11-25", [closed("2026-11-25")], StepCode.DESTINATION_CLOSED),
        ("2026-11-25", [closed("2026-11-25", starts=time(18))], StepCode.DESTINATION_CUT_SHORT),
    ],
)
def test_impossible_day_has_a_reason(day: str, closures: list[ClosureRule], code: StepCode) -> None:
    rule = tier(delivery_weekdays=WEEKDAYS)
    delivery = delivery_on(rule, CHENGDU, date.fromisoformat(day), ClosureCalendar(closures))
    assert isinstance(delivery, Step)
    assert (delivery.code, delivery.closure) == (code, "Typhoon" if closures else "")


def test_a_day_the_calendar_skips_cannot_be() -> None:
    apia = Place(9, "", "WS", "Pacific/Apia")
    delivery = delivery_on(tier(), apia, date(2011, 12, 30), NO_CLOSURES)
    assert isinstance(delivery, Step)
    assert delivery.code == StepCode.NO_SUCH_DAY


# --- what always holds -------------------------------------------------------------------------

ahead = st.timedeltas(timedelta(days=-10), timedelta(days=40))


@settings(max_examples=scaled(150), deadline=None)
@given(rule=strategies.tiers(), place=strategies.places, now=strategies.moments, wait=ahead)
def test_offered_days_are_later_ordered_and_within_range(
    rule: TierRule, place: Place, now: datetime, wait: timedelta
) -> None:
    current_due_at = now + wait
    span = span_after(current_due_at, now, place.zone)
    days_offered = list(possible_days(rule, place, NO_CLOSURES, current_due_at=current_due_at, now=now))
    assert all(item.due_at > max(current_due_at, now) for item in days_offered)
    assert all(span.first <= item.day <= span.last for item in days_offered)
    assert [item.due_at for item in days_offered] == sorted({item.due_at for item in days_offered})
    assert all(item.day.weekday() in rule.delivery_weekdays for item in days_offered)
    for item in days_offered:
        clock = local_clock(item.due_at, place.zone)
        assert clock.date() == item.day
        assert delivery_on(rule, place, item.day, NO_CLOSURES) == item.due_at


@settings(max_examples=scaled(150), deadline=None)
@given(
    place=strategies.places,
    now=strategies.moments,
    shut=st.sets(st.integers(0, 31)),
    hours=st.none() | strategies.closed_hours,
)
def test_a_closure_never_adds_a_day_nor_makes_one_earlier(
    place: Place, now: datetime, shut: set[int], hours: Any
) -> None:
    today = local_clock(now, place.zone).date()
    given_hours = {} if hours is None else {"starts": hours[0], "ends": hours[1]}
    closures = ClosureCalendar(
        ClosureRule(date=today + timedelta(days=ahead), city_id=place.city_id, **given_hours)
        for ahead in shut
    )
    asked: dict[str, Any] = {"current_due_at": now, "now": now}
    without = {item.day: item.due_at for item in possible_days(tier(), place, NO_CLOSURES, **asked)}
    for item in possible_days(tier(), place, closures, **asked):
        assert item.due_at >= without[item.day]


def test_the_answer_is_the_same_wherever_the_process_is() -> None:
    moments = [NOW, NOW.astimezone(UTC)]
    assert days(now=moments[0], current_due_at=TONIGHT) == days(
        now=moments[1], current_due_at=TONIGHT.astimezone(UTC)
    )
