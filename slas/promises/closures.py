"""Closures: days, or hours of a day, in which a city, province or country does not work, at one end or both.

Hours affect deadlines only. A deadline within closed hours keeps the working time that was left before it:
closed 14:00-18:00, "by 16:00" becomes "by 20:00". A deadline outside them stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from alliance.clocks import ONE_DAY, local_clock, wall_clock
from slas.choices import ClosureSide

MIDNIGHT = time(0)


class Place(NamedTuple):
    """One end of a journey, with the data a promise depends on."""

    city_id: int
    province: str
    country: str
    zone: str


@dataclass(frozen=True, slots=True)
class ClosureRule:
    """A local day, or hours of it, in which a city, province or country is closed at one side or both.

    Hours are wall clock, the end excluded. Without start and end it is the whole day; without an end it lasts
    until midnight, without a start it begins at midnight.
    """

    date: date
    side: ClosureSide = ClosureSide.BOTH
    country: str = ""
    province: str = ""
    city_id: int | None = None
    is_public_holiday: bool = False
    name: str = ""
    starts: time | None = None
    ends: time | None = None

    def __post_init__(self) -> None:
        if self.city_id is None and not self.country:
            raise ValueError("A closure is of a city, of a country, or of a province in a country")
        if self.ends is not None and self.ends <= (self.starts or MIDNIGHT):
            raise ValueError("Closed hours end after they start")

    @property
    def is_whole_day(self) -> bool:
        return self.ends is None and (self.starts or MIDNIGHT) == MIDNIGHT

    @property
    def scope(self) -> tuple[int | str, ...]:
        if self.city_id is not None:
            return (self.city_id,)
        return (self.country, self.province) if self.province else (self.country,)


class Hours(NamedTuple):
    """Closed hours in local wall clock; an end of None is midnight."""

    starts: time
    ends: time | None


class Reopening(NamedTuple):
    """The effect of closed hours on a deadline: a later one, or None if too little of the day is left."""

    at: datetime | None
    hours: tuple[Hours, ...]
    name: str


_Index = dict[date, dict[tuple[int | str, ...], list[ClosureRule]]]


class ClosureCalendar:
    """Closures, indexed once so that a lookup of a day costs the same however many there are."""

    __slots__ = ("_at_destination", "_at_origin")

    def __init__(self, rules: Iterable[ClosureRule] = ()) -> None:
        self._at_origin: _Index = {}
        self._at_destination: _Index = {}
        for rule in rules:
            if rule.side != ClosureSide.DESTINATION:
                _add(self._at_origin, rule)
            if rule.side != ClosureSide.ORIGIN:
                _add(self._at_destination, rule)

    def closure(
        self, place: Place, day: date, side: ClosureSide, works_on_holidays: bool
    ) -> ClosureRule | None:
        """The whole-day closure of the place at that side, the narrowest first. Side BOTH means either
        side."""
        rules = self._rules(place, day, side, works_on_holidays)
        return next((rule for rule in rules if rule.is_whole_day), None)

    def reopening(
        self, place: Place, deadline: datetime, day: date, side: ClosureSide, works_on_holidays: bool
    ) -> Reopening | None:
        """The effect of that day's closed hours on the deadline; None if they do not affect it."""
        closures = self._rules(place, day, side, works_on_holidays)
        rules = [rule for rule in closures if not rule.is_whole_day]
        return reopening(rules, deadline, day, place.zone) if rules else None

    def _rules(
        self, place: Place, day: date, side: ClosureSide, works_on_holidays: bool
    ) -> list[ClosureRule]:
        rules: list[ClosureRule] = []
        if side != ClosureSide.DESTINATION:
            rules += _find(self._at_origin, place, day, works_on_holidays)
        if side != ClosureSide.ORIGIN:
            rules += _find(self._at_destination, place, day, works_on_holidays)
        return rules


def reopening(rules: Sequence[ClosureRule], deadline: datetime, day: date, zone: str) -> Reopening | None:
    """The deadline after closed hours, counting open time only; None when it lies outside them.

    The time left when the place closes is what it has left after reopening, also across further closed hours.
    Overlapping hours are one closure, so a further closure never makes a deadline earlier. A day with less
    time than that before midnight has no deadline at all.
    """
    spans = _merge(_Span(*_moments(rule, day, zone), rule.name) for rule in rules)
    first = next((index for index, span in enumerate(spans) if span.starts <= deadline < span.ends), None)
    if first is None:
        return None
    time_left, reopened_at, last = deadline - spans[first].starts, spans[first].ends, first
    while last + 1 < len(spans) and time_left >= spans[last + 1].starts - reopened_at:
        time_left -= spans[last + 1].starts - reopened_at
        last += 1
        reopened_at = spans[last].ends
    # Clocks may change in between: the offset is the one in force at the new time.
    reopened_at = local_clock(reopened_at + time_left, zone)
    midnight = wall_clock(day + ONE_DAY, MIDNIGHT, zone)
    closed = spans[first : last + 1]
    return Reopening(
        reopened_at if reopened_at < midnight else None,
        tuple(
            Hours(span.starts.time(), span.ends.time() if span.ends < midnight else None) for span in closed
        ),
        ", ".join(dict.fromkeys(span.name for span in closed if span.name)),
    )


class _Span(NamedTuple):
    starts: datetime
    ends: datetime
    name: str


def _moments(rule: ClosureRule, day: date, zone: str) -> tuple[datetime, datetime]:
    starts = wall_clock(day, rule.starts or MIDNIGHT, zone)
    ends = wall_clock(day + ONE_DAY, MIDNIGHT, zone)
    return starts, ends if rule.ends is None else wall_clock(day, rule.ends, zone)


def _merge(spans: Iterable[_Span]) -> list[_Span]:
    """The hours as spans that neither touch nor overlap, in order."""
    merged: list[_Span] = []
    for span in sorted(spans):
        # Skip hours that a clock change leaves out.
        if span.ends - span.starts <= timedelta(0):
            continue
        if merged and span.starts <= merged[-1].ends:
            last = merged[-1]
            names = last.name if span.name in last.name else f"{last.name}, {span.name}"
            merged[-1] = _Span(last.starts, max(last.ends, span.ends), names)
        else:
            merged.append(span)
    return merged


def _add(index: _Index, rule: ClosureRule) -> None:
    index.setdefault(rule.date, {}).setdefault(rule.scope, []).append(rule)


def _find(index: _Index, place: Place, day: date, works_on_holidays: bool) -> list[ClosureRule]:
    """The closures of the place on that day, the narrowest first, without holidays if the tier works on
    them."""
    scopes = index.get(day)
    if scopes is None:
        return []
    return [
        rule
        for scope in ((place.city_id,), (place.country, place.province), (place.country,))
        # A typhoon on a holiday is the better reason to show.
        for rule in sorted(scopes.get(scope, ()), key=lambda rule: rule.is_public_holiday)
        if not (works_on_holidays and rule.is_public_holiday)
    ]
