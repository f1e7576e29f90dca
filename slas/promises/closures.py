"""Days, or hours of one, in which a city, a province or a country does not work, at one end or both.

Hours matter to deadlines only. A deadline within closed hours keeps the working time that was left
before it: closed 14:00-18:00, "by 16:00" becomes "by 20:00". A deadline outside them stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from alliance.clocks import ONE_DAY, local_clock, wall_clock
from slas.choices import ClosureSide

MIDNIGHT = time(0)


class Place(NamedTuple):
    """One end of a journey, as far as a promise depends on it."""

    city_id: int
    province: str
    country: str
    zone: str


@dataclass(frozen=True, slots=True)
class ClosureRule:
    """A local day, or hours of it, in which a city, a province or a country is closed at one side or both.

    Hours are wall clock, the end not included. Without either it is the whole day; without an end
    it is until midnight, without a start from midnight on.
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
    """Closed hours as clocks there show them; an end of None is midnight."""

    starts: time
    ends: time | None


class Reopening(NamedTuple):
    """What closed hours make of a deadline: a later one, or none when too little of the day is left."""

    at: datetime | None
    hours: tuple[Hours, ...]
    name: str


_Index = dict[date, dict[tuple[int | str, ...], list[ClosureRule]]]


class ClosureCalendar:
    """Closures, indexed once so that asking about a day costs the same however many there are."""

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
        """What closes the place all day for that side, the narrowest first. Side BOTH asks for either."""
        found = self._all(place, day, side, works_on_holidays)
        return next((rule for rule in found if rule.is_whole_day), None)

    def reopening(
        self, place: Place, deadline: datetime, day: date, side: ClosureSide, works_on_holidays: bool
    ) -> Reopening | None:
        """What the closed hours of that day make of its deadline there; None when they leave it alone."""
        found = self._all(place, day, side, works_on_holidays)
        rules = [rule for rule in found if not rule.is_whole_day]
        return reopening(rules, deadline, day, place.zone) if rules else None

    def _all(self, place: Place, day: date, side: ClosureSide, works_on_holidays: bool) -> list[ClosureRule]:
        found: list[ClosureRule] = []
        if side != ClosureSide.DESTINATION:
            found += _find(self._at_origin, place, day, works_on_holidays)
        if side != ClosureSide.ORIGIN:
            found += _find(self._at_destination, place, day, works_on_holidays)
        return found


def reopening(rules: Sequence[ClosureRule], deadline: datetime, day: date, zone: str) -> Reopening | None:
    """The deadline after closed hours, counting open time only; None when it lies outside them.

    What is left when the place closes is left when it opens again, over further closed hours, too.
    Overlapping hours are one closure: so one more closure never makes a deadline earlier. A day
    that has not that much time left before midnight has no deadline at all.
    """
    spans = _merged(_Span(*_moments(rule, day, zone), rule.name) for rule in rules)
    hit = next((index for index, span in enumerate(spans) if span.starts <= deadline < span.ends), None)
    if hit is None:
        return None
    left, at, last = deadline - spans[hit].starts, spans[hit].ends, hit
    while last + 1 < len(spans) and left >= spans[last + 1].starts - at:
        left -= spans[last + 1].starts - at
        last += 1
        at = spans[last].ends
    # Clocks may change on the way: the offset is the one in force by then.
    at = local_clock(at + left, zone)
    midnight = wall_clock(day + ONE_DAY, MIDNIGHT, zone)
    counted = spans[hit : last + 1]
    return Reopening(
        at if at < midnight else None,
        tuple(
            Hours(span.starts.time(), span.ends.time() if span.ends < midnight else None) for span in counted
        ),
        ", ".join(dict.fromkeys(span.name for span in counted if span.name)),
    )


class _Span(NamedTuple):
    starts: datetime
    ends: datetime
    name: str


def _moments(rule: ClosureRule, day: date, zone: str) -> tuple[datetime, datetime]:
    starts = wall_clock(day, rule.starts or MIDNIGHT, zone)
    ends = wall_clock(day + ONE_DAY, MIDNIGHT, zone)
    return starts, ends if rule.ends is None else wall_clock(day, rule.ends, zone)


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    """The same hours as spans that neither touch nor overlap, in order."""
    found: list[_Span] = []
    for span in sorted(spans):
        # Hours that a clock change skips are none.
        if span.ends - span.starts <= timedelta(0):
            continue
        if found and span.starts <= found[-1].ends:
            last = found[-1]
            names = last.name if span.name in last.name else f"{last.name}, {span.name}"
            found[-1] = _Span(last.starts, max(last.ends, span.ends), names)
        else:
            found.append(span)
    return found


def _add(index: _Index, rule: ClosureRule) -> None:
    index.setdefault(rule.date, {}).setdefault(rule.scope, []).append(rule)


def _find(index: _Index, place: Place, day: date, works_on_holidays: bool) -> list[ClosureRule]:
    """What hits the place that day, the narrowest first; a tier that works on holidays leaves them out."""
    scopes = index.get(day)
    if scopes is None:
        return []
    return [
        rule
        for scope in ((place.city_id,), (place.country, place.province), (place.country,))
        # A typhoon on a holiday is the better reason of the two.
        for rule in sorted(scopes.get(scope, ()), key=lambda rule: rule.is_public_holiday)
        if not (works_on_holidays and rule.is_public_holiday)
    ]
