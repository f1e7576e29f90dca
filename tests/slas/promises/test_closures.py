"""The index of closures: closes what its rules close, and names the narrowest."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.clocks import wall_clock
from slas.choices import ClosureSide
from slas.promises.closures import ClosureCalendar, ClosureRule, Hours, reopening
from tests.slas.helpers.journeys import CITIES
from tests.slas.helpers.strategies import (
    TURNING_POINTS,
    clock_times,
    closed_hours,
    closures,
    places,
    rules_hitting,
    walked_deadline,
)

HGH, CTU = CITIES["HGH"], CITIES["CTU"]


@given(st.data())
def test_calendar_is_closed_if_any_rule_closes_it(data):
    rules = data.draw(closures(datetime(2026, 3, 2, tzinfo=UTC)))
    place = data.draw(places)
    day = date(2026, 3, 2) + timedelta(days=data.draw(st.integers(-3, 15)))
    side = data.draw(st.sampled_from([ClosureSide.ORIGIN, ClosureSide.DESTINATION]))
    works_on_holidays = data.draw(st.booleans())
    hit = rules_hitting(rules, day, place, side, works_on_holidays)
    expected = any(rule.starts in (None, time(0)) and rule.ends is None for rule in hit)
    closure = ClosureCalendar(rules).closure(place, day, side, works_on_holidays)
    assert (closure is not None) == expected


def test_calendar_names_the_narrowest_closure():
    rules = [
        ClosureRule(date(2026, 10, 1), country="CN", name="holiday", is_public_holiday=True),
        ClosureRule(date(2026, 10, 1), country="CN", province="ZJ", name="typhoon"),
        ClosureRule(date(2026, 10, 1), city_id=HGH.city_id, side=ClosureSide.ORIGIN, name="fire"),
    ]
    calendar = ClosureCalendar(rules)

    def name(place, side):
        result = calendar.closure(place, date(2026, 10, 1), side, False)
        return result and result.name

    assert name(HGH, ClosureSide.ORIGIN) == "fire"
    assert name(HGH, ClosureSide.DESTINATION) == "typhoon"
    assert name(CTU, ClosureSide.DESTINATION) == "holiday"
    assert name(HGH, ClosureSide.BOTH) == "fire"
    assert name(CITIES["TYO"], ClosureSide.BOTH) is None


def test_closure_must_be_of_somewhere():
    with pytest.raises(ValueError, match="closure"):
        ClosureRule(date(2026, 10, 1), province="ZJ")


# --- closed hours ----------------------------------------------------------------------------

MONDAY = date(2026, 3, 2)
zones = st.sampled_from(sorted({city.zone for city in CITIES.values()}))
days = st.builds(
    lambda point, ahead: point.date() + timedelta(days=ahead),
    st.sampled_from(TURNING_POINTS),
    st.integers(-1, 1),
)
hours_of_a_day = st.lists(closed_hours, min_size=1, max_size=5)


def closed(hours, day=MONDAY):
    return [ClosureRule(day, country="CN", starts=starts, ends=ends, name="stop") for starts, ends in hours]


def deadline_after(rules, at, day=MONDAY, zone="Asia/Shanghai"):
    """The deadline after closed hours; None when the day has none any more."""
    usual = wall_clock(day, at, zone)
    reopened = reopening(rules, usual, day, zone)
    return usual if reopened is None else reopened.at


@given(hours_of_a_day, clock_times, days, zones)
def test_reopening_equals_a_walk_through_closed_hours(hours, at, day, zone):
    rules = closed(hours, day)
    assert deadline_after(rules, at, day, zone) == walked_deadline(rules, day, at, zone)


@given(hours_of_a_day, hours_of_a_day, clock_times, days, zones)
def test_more_closed_hours_never_make_a_deadline_earlier(hours, more, at, day, zone):
    fewer = deadline_after(closed(hours, day), at, day, zone)
    all_of_them = deadline_after(closed([*hours, *more], day), at, day, zone)
    assert all_of_them is None or (fewer is not None and all_of_them >= fewer)


@given(hours_of_a_day, st.randoms(), clock_times)
def test_order_of_closures_does_not_matter(hours, random, at):
    shuffled = random.sample(hours, len(hours))
    assert deadline_after(closed(shuffled), at) == deadline_after(closed(hours), at)


@given(clock_times, clock_times)
def test_two_halves_of_a_day_close_all_of_it(noon, at):
    assert (
        deadline_after(closed([(None, noon), (noon, None)] if noon > time(0) else [(None, None)]), at) is None
    )


# Closed from-to, more closed hours, a deadline, what becomes of it.
@pytest.mark.parametrize(
    ("hours", "at", "after"),
    [
        ("14:00-18:00", "13:59", "13:59"),  # before them
        ("14:00-18:00", "14:00", "18:00"),  # nothing was left
        ("14:00-18:00", "16:00", "20:00"),  # two hours were
        ("14:00-18:00", "18:00", "18:00"),  # open again by then
        ("14:00-18:00", "21:00", "21:00"),  # after them
        ("14:00-22:00", "16:00", None),  # midnight is too late
        ("14:00-22:00", "15:59", "23:59"),
        ("14:00-", "16:00", None),  # does not open again
        ("14:00-18:00 19:00-20:00", "16:00", "21:00"),  # an hour between them, an hour after
        ("14:00-18:00 20:00-21:00", "16:00", "21:00"),  # would fall on the second: nothing left
        ("14:00-18:00 20:01-21:00", "16:00", "20:00"),  # before the second
        ("10:00-12:00 14:00-18:00", "16:00", "20:00"),  # the first is over and costs nothing
        ("14:00-18:00 15:00-19:00", "16:00", "21:00"),  # overlapping: one closure of five hours
        ("14:00-16:00 16:00-18:00", "15:00", "19:00"),  # touching: one of four
        ("00:00-09:00", "08:00", "17:00"),
    ],
)
def test_deadline_within_closed_hours_keeps_the_time_it_had(hours, at, after):
    spans = [span.split("-") for span in hours.split()]
    rules = closed([(time.fromisoformat(a), time.fromisoformat(b) if b else None) for a, b in spans])
    moved = deadline_after(rules, time.fromisoformat(at))
    assert (moved and f"{moved:%H:%M}") == after


def test_reopening_has_the_hours_and_names_of_its_closures():
    rules = [
        ClosureRule(MONDAY, country="CN", starts=time(14), ends=time(18), name="Typhoon"),
        ClosureRule(MONDAY, country="CN", starts=time(19), ends=time(20), name="Power cut"),
        ClosureRule(MONDAY, country="CN", starts=time(23), ends=None, name="Night"),
    ]
    reopened = reopening(rules, wall_clock(MONDAY, time(16), "Asia/Shanghai"), MONDAY, "Asia/Shanghai")
    assert reopened.hours == (Hours(time(14), time(18)), Hours(time(19), time(20)))
    assert reopened.name == "Typhoon, Power cut"


def test_deadline_after_a_clock_change_carries_the_offset_in_force_by_then():
    [rule] = closed([(time(23), time(23, 45))], date(2018, 2, 17))
    usual = wall_clock(rule.date, time(23, 30), "America/Sao_Paulo")
    reopened = reopening([rule], usual, rule.date, "America/Sao_Paulo")
    assert reopened.at.isoformat() == "2018-02-17T23:15:00-03:00"


@pytest.mark.parametrize("hours", [(time(14), time(14)), (time(14), time(9)), (None, time(0))])
def test_closed_hours_end_after_they_start(hours):
    with pytest.raises(ValueError, match="after"):
        closed([hours])
