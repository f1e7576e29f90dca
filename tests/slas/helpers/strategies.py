"""Tiers, closures and journeys to try rules with, many of them around clock changes and year ends."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from hypothesis import assume
from hypothesis import strategies as st

from alliance.clocks import ONE_DAY, wall_clock
from slas.choices import ClosureSide, TierCode
from slas.promises.closures import ClosureCalendar, ClosureRule, Place
from slas.promises.rules import CutOff, NoPromise, TierRule, promise
from tests.slas.helpers.journeys import CITIES, TIERS

ONE_MINUTE = timedelta(minutes=1)
# Around these, clocks change, the calendar skips a day, or a month or a year ends.
TURNING_POINTS = [
    datetime(2017, 10, 15, 3, tzinfo=UTC),  # Sao Paulo skips midnight
    datetime(2018, 2, 18, 2, tzinfo=UTC),  # and has 23:00 twice
    datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York skips 02:00
    datetime(2026, 11, 1, 6, tzinfo=UTC),  # and has 01:00 twice
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # London skips 01:00
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # and has it twice
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe skips half an hour
    datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia skips 30 December
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2026, 12, 31, 16, tzinfo=UTC),  # midnight in China
]

moments = st.one_of(
    st.datetimes(datetime(2010, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- bounds
    st.builds(
        lambda point, minutes: point + timedelta(minutes=minutes),
        st.sampled_from(TURNING_POINTS),
        st.integers(-4 * 1440, 4 * 1440),
    ),
)
places = st.sampled_from(list(CITIES.values()))
clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 45, 59]))
# From and to; None is midnight at either end.
closed_hours = st.tuples(st.none() | clock_times, st.none() | clock_times).filter(
    lambda hours: hours[1] is None or hours[1] > (hours[0] or time(0))
)
weekdays = st.frozensets(st.integers(0, 6), min_size=1)


@st.composite
def tiers(draw: st.DrawFn) -> TierRule:
    pickup_by = draw(clock_times)
    cut_offs = st.one_of(
        st.none(),
        st.builds(CutOff, clock_times.filter(lambda at: at <= pickup_by)),
        st.builds(CutOff, clock_times, st.integers(-3, -1)),
    )
    return TierRule(
        code=TierCode.STANDARD,
        version=draw(st.integers(1, 9)),
        cut_offs=draw(st.dictionaries(st.integers(0, 6), cut_offs, min_size=1)),
        pickup_by=pickup_by,
        deliver_by=draw(clock_times),
        days_in_transit=draw(st.integers(0, 5)),
        pickup_weekdays=draw(weekdays),
        delivery_weekdays=draw(weekdays),
        works_on_holidays=draw(st.booleans()),
    )


@st.composite
def closures(
    draw: st.DrawFn, ready_at: datetime, *, at_most: int = 12, ends: tuple[Place, ...] = ()
) -> list[ClosureRule]:
    """Relevant closures: near the time, of the cities under test, or of a journey's ends only."""
    rule = st.builds(
        lambda place, narrow, ahead, **fields: ClosureRule(
            date=ready_at.date() + timedelta(days=ahead),
            country=place.country,
            province=place.province if narrow > 0 else "",
            city_id=place.city_id if narrow > 1 else None,
            **fields,
        ),
        place=st.sampled_from(ends) if ends else places,
        narrow=st.integers(0, 2),
        ahead=st.integers(-1, 4) if ends else st.integers(-2, 14),
        side=st.sampled_from(ClosureSide),
        is_public_holiday=st.booleans(),
    )
    at_hours = st.builds(
        lambda rule, hours: replace(rule, starts=hours[0], ends=hours[1]), rule, closed_hours
    )
    return draw(st.lists(rule | at_hours, max_size=at_most))


class KnownClosures(ClosureCalendar):
    """A calendar that keeps its rules, for tests that compute a promise differently."""

    __slots__ = ("rules",)

    def __init__(self, rules: list[ClosureRule]) -> None:
        super().__init__(rules)
        self.rules = rules


@st.composite
def journeys(draw: st.DrawFn) -> dict[str, object]:
    """The arguments of a promise that can be given."""
    ready_at = draw(moments)
    origin, destination = draw(places), draw(places)
    near = draw(closures(ready_at) | closures(ready_at, ends=(origin, destination)))
    journey = {
        "tier": draw(tiers() | st.sampled_from(list(TIERS.values()))),
        "origin": origin,
        "destination": destination,
        "ready_at": ready_at,
        "closures": KnownClosures(near),
    }
    hours_ahead = draw(st.none() | st.integers(-30, 100))
    if hours_ahead is not None:
        journey["booked_at"] = ready_at - timedelta(hours=hours_ahead)
    assume(promised(**journey) is not None)
    return journey


def promised(**journey):
    """The promise, or None."""
    try:
        return promise(**journey)
    except NoPromise:
        return None


def rules_hitting(rules, day, place, side, works_on_holidays):
    """The rule of closures, implemented differently: those of that day, place and side."""
    return [
        rule
        for rule in rules
        if rule.date == day
        and rule.side in {side, ClosureSide.BOTH}
        and not (works_on_holidays and rule.is_public_holiday)
        and rule.scope in {(place.city_id,), (place.country, place.province), (place.country,)}
    ]


def walked_deadline(rules, day, at, zone):
    """The deadline after closed hours, found by walking through the day minute by minute; None past it."""
    midnight = wall_clock(day + ONE_DAY, time(0), zone)
    spans = [
        (
            wall_clock(day, rule.starts or time(0), zone),
            wall_clock(day, rule.ends, zone) if rule.ends else midnight,
        )
        for rule in rules
    ]

    def closed(moment):
        return any(start <= moment < end for start, end in spans)

    minute = wall_clock(day, at, zone)
    if not closed(minute):
        return minute
    left = 0
    while closed(minute - (left + 1) * ONE_MINUTE):
        left += 1
    while left or closed(minute):
        left -= not closed(minute)
        minute += ONE_MINUTE
    return minute if minute < midnight else None
