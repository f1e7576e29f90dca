"""Days on which a city, a province or a country does not work, at one end of a journey or both."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from slas.choices import ClosureSide


class Place(NamedTuple):
    """One end of a journey, as far as a promise depends on it."""

    city_id: int
    province: str
    country: str
    zone: str


@dataclass(frozen=True, slots=True)
class ClosureRule:
    """A local day on which a city, a province or a country is closed at one side or both."""

    date: date
    side: ClosureSide = ClosureSide.BOTH
    country: str = ""
    province: str = ""
    city_id: int | None = None
    is_public_holiday: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if self.city_id is None and not self.country:
            raise ValueError("A closure is of a city, of a country, or of a province in a country")

    @property
    def scope(self) -> tuple[int | str, ...]:
        if self.city_id is not None:
            return (self.city_id,)
        return (self.country, self.province) if self.province else (self.country,)


_Index = dict[date, dict[tuple[int | str, ...], ClosureRule]]


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
        """What closes the place for that side, the narrowest first. Side BOTH asks for either."""
        found = None
        if side != ClosureSide.DESTINATION:
            found = _find(self._at_origin, place, day, works_on_holidays)
        if side != ClosureSide.ORIGIN and found is None:
            found = _find(self._at_destination, place, day, works_on_holidays)
        return found

    def is_closed(self, place: Place, day: date, side: ClosureSide, works_on_holidays: bool) -> bool:
        return self.closure(place, day, side, works_on_holidays) is not None


def _add(index: _Index, rule: ClosureRule) -> None:
    """A tier that works on holidays still stops for a typhoon on one: the stronger rule stays."""
    scopes = index.setdefault(rule.date, {})
    standing = scopes.get(rule.scope)
    if standing is None or standing.is_public_holiday:
        scopes[rule.scope] = rule


def _find(index: _Index, place: Place, day: date, works_on_holidays: bool) -> ClosureRule | None:
    scopes = index.get(day)
    if scopes is None:
        return None
    for scope in ((place.city_id,), (place.country, place.province), (place.country,)):
        rule = scopes.get(scope)
        if rule is not None and not (works_on_holidays and rule.is_public_holiday):
            return rule
    return None


NO_CLOSURES = ClosureCalendar()
