"""The index of closures: closes what its rules close, and names the narrowest."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slas.choices import ClosureSide
from slas.closures import ClosureCalendar, ClosureRule
from tests.slas.journeys import CITIES
from tests.slas.strategies import closures, places

HGH, CTU = CITIES["HGH"], CITIES["CTU"]


@given(st.data())
def test_calendar_closes_what_any_of_its_rules_closes(data):
    rules = data.draw(closures(datetime(2026, 3, 2, tzinfo=UTC)))
    place = data.draw(places)
    day = date(2026, 3, 2) + timedelta(days=data.draw(st.integers(-3, 15)))
    side = data.draw(st.sampled_from([ClosureSide.ORIGIN, ClosureSide.DESTINATION]))
    works_on_holidays = data.draw(st.booleans())
    expected = any(
        rule.date == day
        and rule.side in {side, ClosureSide.BOTH}
        and not (works_on_holidays and rule.is_public_holiday)
        and rule.scope in {(place.city_id,), (place.country, place.province), (place.country,)}
        for rule in rules
    )
    assert ClosureCalendar(rules).is_closed(place, day, side, works_on_holidays) == expected


def test_calendar_names_the_narrowest_closure():
    rules = [
        ClosureRule(date(2026, 10, 1), country="CN", name="holiday", is_public_holiday=True),
        ClosureRule(date(2026, 10, 1), country="CN", province="ZJ", name="typhoon"),
        ClosureRule(date(2026, 10, 1), city_id=HGH.city_id, side=ClosureSide.ORIGIN, name="fire"),
    ]
    calendar = ClosureCalendar(rules)

    def name(place, side):
        found = calendar.closure(place, date(2026, 10, 1), side, False)
        return found and found.name

    assert name(HGH, ClosureSide.ORIGIN) == "fire"
    assert name(HGH, ClosureSide.DESTINATION) == "typhoon"
    assert name(CTU, ClosureSide.DESTINATION) == "holiday"
    assert name(HGH, ClosureSide.BOTH) == "fire"
    assert name(CITIES["TYO"], ClosureSide.BOTH) is None


def test_closure_must_be_of_somewhere():
    with pytest.raises(ValueError, match="closure"):
        ClosureRule(date(2026, 10, 1), province="ZJ")
