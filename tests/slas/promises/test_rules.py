"""What holds for every promise, whatever the tier, the places, the closures and the clocks do.

Worked cases a person can read are in test_promise_table.py.
"""

import time as process_time
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.clocks import day_exists, wall_clock
from slas.choices import ClosureSide, NoPromiseReason
from slas.promises.closures import ClosureCalendar, ClosureRule
from slas.promises.rules import SEARCH_DAYS, CutOff, NoPromise, StepCode, TierRule, promise
from tests.slas.helpers.journeys import CITIES, NO_CLOSURES, TIERS, closure_rules, daily, local
from tests.slas.helpers.strategies import closures, journeys, promised, rules_hitting, walked_deadline
from tests.slas.promises.test_table import CASES, rows

HGH, CTU = CITIES["HGH"], CITIES["CTU"]
ONE_DAY = timedelta(days=1)


def days_of(given_promise, *codes):
    return [step.day for step in given_promise.steps if step.code in codes]


@given(journeys())
def test_promise_never_lies_before_ready_or_booking(journey):
    given_promise = promise(**journey)
    booked_at = journey.get("booked_at", journey["ready_at"])
    assert given_promise.cut_off_at >= booked_at
    assert given_promise.pickup_by >= max(journey["ready_at"], booked_at)
    assert given_promise.deliver_by > given_promise.pickup_by
    assert given_promise.rolled_days >= 0


@given(journeys(), st.integers(0, 5 * 1440))
def test_later_ready_never_gives_an_earlier_promise(journey, minutes):
    first = promise(**journey)
    second = promised(**{**journey, "ready_at": journey["ready_at"] + timedelta(minutes=minutes)})
    if second is not None:
        assert second.effective_date >= first.effective_date
        assert second.pickup_by >= first.pickup_by
        assert second.deliver_by >= first.deliver_by


@given(journeys(), st.integers(0, 5 * 1440))
def test_later_booking_never_gives_an_earlier_promise(journey, minutes):
    booked_at = journey.get("booked_at", journey["ready_at"])
    first = promise(**journey)
    second = promised(**{**journey, "booked_at": booked_at + timedelta(minutes=minutes)})
    if second is not None:
        assert second.pickup_by >= first.pickup_by
        assert second.deliver_by >= first.deliver_by


@given(st.data())
def test_closure_never_makes_a_promise_earlier(data):
    journey = data.draw(journeys())
    ends = (journey["origin"], journey["destination"])
    rules = data.draw(closures(journey["ready_at"], ends=ends))
    more = data.draw(closures(journey["ready_at"], at_most=3, ends=ends))
    without = promised(**{**journey, "closures": ClosureCalendar(rules)})
    closed = promised(**{**journey, "closures": ClosureCalendar([*rules, *more])})
    if closed is not None:
        assert without is not None
        assert closed.pickup_by >= without.pickup_by
        assert closed.deliver_by >= without.deliver_by


@given(journeys())
def test_no_day_is_skipped_silently(journey):
    given_promise = promise(**journey)
    refused = days_of(
        given_promise,
        StepCode.CUT_OFF_MISSED,
        StepCode.READY_TOO_LATE,
        StepCode.NO_PICKUP_DAY,
        StepCode.ORIGIN_CLOSED,
        StepCode.ORIGIN_CUT_SHORT,
    )
    skipped = [given_promise.requested_date + ahead * ONE_DAY for ahead in range(given_promise.rolled_days)]
    nonexistent = [day for day in skipped if not day_exists(day, journey["origin"].zone)]
    assert sorted({*refused, *nonexistent}) == skipped


@given(journeys())
def test_promise_equals_a_search_of_every_day(journey):
    given_promise = promise(**journey)
    effective, pickup_by, deliver_by = plain_promise(**journey)
    assert given_promise.effective_date == effective
    assert given_promise.pickup_by == pickup_by
    assert given_promise.deliver_by == deliver_by


def plain_promise(tier, origin, destination, ready_at, closures, booked_at=None):
    """The rule implemented differently: list all days that qualify, take the first, count on from it."""
    booked = booked_at or ready_at
    ready = max(ready_at, booked)
    start = ready.astimezone(ZoneInfo(origin.zone)).date()
    season = [start + timedelta(days=ahead) for ahead in range(2 * SEARCH_DAYS)]

    def clock(day, at, place):
        return wall_clock(day, at, place.zone)

    def deadline(day, at, place, side):
        hit = rules_hitting(closures.rules, day, place, side, tier.works_on_holidays)
        return walked_deadline(hit, day, at, place.zone)

    def works(day, place, side, days):
        closed = closures.closure(place, day, side, tier.works_on_holidays)
        return day.weekday() in days and not closed and day_exists(day, place.zone)

    handling_days = [
        day
        for day in season
        if works(day, origin, ClosureSide.ORIGIN, tier.pickup_weekdays)
        and (cut_off := tier.cut_offs.get(day.weekday()))
        and booked <= clock(day + timedelta(days=cut_off.day_offset), cut_off.time, origin)
        and ready <= clock(day, tier.pickup_by, origin)
        and deadline(day, tier.pickup_by, origin, ClosureSide.ORIGIN)
    ]
    effective = handling_days[0]
    pickup_by = deadline(effective, tier.pickup_by, origin, ClosureSide.ORIGIN)
    landings = [
        landing
        for day in season
        if day >= effective + timedelta(days=bool(tier.days_in_transit))
        and works(day, destination, ClosureSide.DESTINATION, tier.delivery_weekdays)
        and clock(day, tier.deliver_by, destination) > pickup_by
        and (landing := deadline(day, tier.deliver_by, destination, ClosureSide.DESTINATION))
    ]
    return effective, pickup_by, landings[max(tier.days_in_transit - 1, 0)]


@given(journeys())
def test_cut_off_named_is_the_one_that_counts(journey):
    at_cut_off = {**journey, "booked_at": promise(**journey).cut_off_at}
    at_cut_off["ready_at"] = at_cut_off["booked_at"]
    kept = promised(**at_cut_off)
    past = promised(**{**at_cut_off, "booked_at": at_cut_off["booked_at"] + timedelta(microseconds=1)})
    # Booking at the cut-off still gets a day at or before it; a moment later that cut-off is gone.
    assert kept is None or kept.cut_off_at >= at_cut_off["booked_at"]
    assert past is None or past.cut_off_at > at_cut_off["booked_at"]


@pytest.fixture
def in_process_zone(monkeypatch):
    def switch(name):
        monkeypatch.setenv("TZ", name)
        process_time.tzset()
        wall_clock.cache_clear()
        day_exists.cache_clear()

    yield switch
    monkeypatch.undo()
    process_time.tzset()


def table_promises():
    """Every case of the table, computed."""
    return [
        promise(
            TIERS[row[0]],
            *(CITIES[city] for city in row[1].split()),
            local(row[3], row[1][:3]),
            ClosureCalendar(closure_rules(row[4], row[3][:4])),
            booked_at=local(row[2], row[1][:3]) if row[2] else None,
        )
        for row in rows(CASES)
    ]


@pytest.mark.parametrize(
    "name", ["UTC", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia", "America/New_York"]
)
def test_answer_is_the_same_in_every_process_zone(name, in_process_zone):
    in_process_zone("Asia/Shanghai")
    in_shanghai = table_promises()
    in_process_zone(name)
    assert process_time.tzname != ("CST", "CST")
    assert table_promises() == in_shanghai


@given(
    journeys(), st.sampled_from(["Asia/Shanghai", "America/Sao_Paulo", "Europe/London"]), st.integers(-12, 14)
)
def test_answer_does_not_depend_on_how_the_moment_is_written(journey, zone_name, hours):
    given_promise = promise(**journey)
    for zone in (ZoneInfo(zone_name), timezone(timedelta(hours=hours))):
        same = promise(**{**journey, "ready_at": journey["ready_at"].astimezone(zone)})
        assert same.steps == given_promise.steps
        assert same.deliver_by == given_promise.deliver_by


def test_steps_tell_the_whole_story():
    given_promise = promise(
        TIERS["two"],
        HGH,
        CTU,
        local("2026-09-30 17:40", "HGH"),
        ClosureCalendar([ClosureRule(date(2026, 10, 1), city_id=CTU.city_id, name="National Day")]),
    )
    assert [(step.code, step.day, step.at and f"{step.at:%H:%M}") for step in given_promise.steps] == [
        (StepCode.BOOKED, date(2026, 9, 30), "17:40"),
        (StepCode.CUT_OFF_KEPT, date(2026, 9, 30), "18:00"),
        (StepCode.PICKUP_BY, date(2026, 9, 30), "20:00"),
        (StepCode.DAYS_IN_TRANSIT, None, None),
        (StepCode.DESTINATION_CLOSED, date(2026, 10, 1), None),
        (StepCode.DELIVER_BY, date(2026, 10, 3), "20:00"),
    ]
    assert given_promise.steps[3].days == 2
    assert given_promise.steps[4].closure == "National Day"
    assert given_promise.version == TIERS["two"].version


def test_steps_name_every_reason_for_rolling():
    given_promise = promise(
        TIERS["shop"],
        HGH,
        CTU,
        local("2026-03-06 20:30", "HGH"),
        ClosureCalendar(closure_rules("HGH 03-07", "2026")),
        booked_at=local("2026-03-06 10:00", "HGH"),
    )
    assert [step.code for step in given_promise.steps[:7]] == [
        StepCode.BOOKED,
        StepCode.READY,
        StepCode.READY_TOO_LATE,  # Friday's pickup is over
        StepCode.ORIGIN_CLOSED,  # Saturday
        StepCode.NO_PICKUP_DAY,  # Sunday
        StepCode.CUT_OFF_KEPT,  # Monday
        StepCode.PICKUP_BY,
    ]


def test_rolled_promise_names_the_cut_off_missed_and_the_one_kept():
    given_promise = promise(TIERS["next"], HGH, CTU, local("2026-03-02 21:00", "HGH"), NO_CLOSURES)
    missed = next(step for step in given_promise.steps if step.code == StepCode.CUT_OFF_MISSED)
    assert missed.at.isoformat() == "2026-03-02T18:00:00+08:00"
    assert given_promise.cut_off_at.isoformat() == "2026-03-03T18:00:00+08:00"
    assert given_promise.rolled


@pytest.mark.parametrize(
    ("change", "closed", "reason"),
    [
        ({"cut_offs": {}}, "", NoPromiseReason.TIER_NEVER_RUNS),
        ({"cut_offs": dict.fromkeys(range(7))}, "", NoPromiseReason.TIER_NEVER_RUNS),
        ({"pickup_weekdays": frozenset()}, "", NoPromiseReason.TIER_NEVER_RUNS),
        ({"cut_offs": {6: CutOff(time(11))}, "pickup_weekdays": {5}}, "", NoPromiseReason.TIER_NEVER_RUNS),
        ({"delivery_weekdays": frozenset()}, "", NoPromiseReason.TIER_NEVER_RUNS),
        ({}, "o:HGH 01-01..12-31", NoPromiseReason.ORIGIN_CLOSED),
        ({}, "d:CTU 01-01..12-31", NoPromiseReason.DESTINATION_CLOSED),
    ],
)
def test_no_promise_has_a_reason(change, closed, reason):
    rule = TIERS["next"]
    fields = {name: getattr(rule, name) for name in TierRule.__slots__}
    tier = TierRule(**{**fields, **change})
    with pytest.raises(NoPromise) as error:
        promise(
            tier, HGH, CTU, local("2026-03-02 10:00", "HGH"), ClosureCalendar(closure_rules(closed, "2026"))
        )
    assert error.value.reason == reason


@pytest.mark.parametrize("moment", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_no_promise_at_the_ends_of_time(moment):
    with pytest.raises(NoPromise) as error:
        promise(TIERS["next"], CITIES["LAX"], HGH, moment, NO_CLOSURES)
    assert error.value.reason == NoPromiseReason.OUT_OF_RANGE


def test_promise_refuses_times_without_an_offset():
    naive = datetime(2026, 3, 2, 10)  # noqa: DTZ001 -- what is refused
    with pytest.raises(ValueError, match="UTC offset"):
        promise(TIERS["next"], HGH, CTU, naive, NO_CLOSURES)


@pytest.mark.parametrize(
    "change",
    [
        {"days_in_transit": -1},
        {"cut_offs": {7: CutOff(time(18))}},
        {"delivery_weekdays": frozenset({-1})},
        {"cut_offs": daily(time(20, 1))},
    ],
)
def test_tier_rule_refuses_inconsistent_values(change):
    rule = TIERS["next"]
    fields = {name: getattr(rule, name) for name in TierRule.__slots__}
    with pytest.raises(ValueError, match=r"negative|Weekdays|cut-off"):
        TierRule(**{**fields, **change})


@pytest.mark.parametrize("day_offset", [1, -8])
def test_cut_off_lies_on_the_day_or_up_to_a_week_before(day_offset):
    with pytest.raises(ValueError, match="before"):
        CutOff(time(18), day_offset)
