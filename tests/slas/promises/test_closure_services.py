"""Closures: declared, withdrawn and loaded by ops, and their effect on promises."""

from datetime import date, datetime, time, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from alliance.errors import InvalidInput, NotFound, NotPermitted
from alliance.models import AuditEntry, City
from alliance.tenancy import Actor
from slas.choices import ClosureSide, TierCode
from slas.models import Closure
from slas.promises.holidays import holidays_between, last_published_year
from slas.promises.rules import Promise, promise
from slas.promises.services.closures import Declaration, declare_closures, withdraw_closure
from slas.promises.services.holidays import load_holidays
from slas.promises.texts import day_text
from slas.promises.tiers_in_force import calendar_at, place_of, tiers_at
from tests.slas.helpers.offers import today_at

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]
NOON = today_at(12)
TODAY = NOON.date()
DAY = timedelta(days=1)
TOMORROW = TODAY + DAY


@pytest.fixture(autouse=True)
def no_holidays(everything: None) -> None:
    Closure.objects.all().delete()


def declared(actor: Actor, *, at: datetime = NOON, **fields: object) -> list[Closure]:
    values = {"name": "Typhoon", "first": TODAY, "country": "CN", **fields}
    return declare_closures(actor=actor, declaration=Declaration(**values), now=at)  # type: ignore[arg-type]


def promised(origin: City, destination: City, *, at: datetime = NOON, tier: str = "next_day") -> Promise:
    rule = tiers_at(at)[tier].rule
    return promise(rule, place_of(origin), place_of(destination), at, calendar_at(at))


# --- what promises make of them ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "pickup", "delivery"),
    [
        ({"province": "Zhejiang"}, today_at(20, days=1), today_at(20, days=2)),
        ({"province": "浙江省"}, today_at(20, days=1), today_at(20, days=2)),
        ({"province": " 浙江"}, today_at(20, days=1), today_at(20, days=2)),
        ({"province": "Zhejiang Province"}, today_at(20, days=1), today_at(20, days=2)),
        ({"province": "zhejiang", "side": "destination"}, today_at(20), today_at(20, days=1)),
        ({"province": "Sichuan", "first": TOMORROW}, today_at(20), today_at(20, days=2)),
        ({"province": "Sichuan", "first": TOMORROW, "side": "origin"}, today_at(20), today_at(20, days=1)),
        ({"first": TODAY, "last": TOMORROW}, today_at(20, days=2), today_at(20, days=3)),
        ({"starts": time(18), "ends": time(21)}, today_at(23), today_at(20, days=1)),
        ({"ends": time(21)}, today_at(20, days=1), today_at(20, days=2)),
        ({"starts": time(18)}, today_at(20, days=1), today_at(20, days=2)),
        ({"starts": time(0)}, today_at(20, days=1), today_at(20, days=2)),
        (
            {"first": TODAY, "last": TOMORROW, "starts": time(19), "ends": time(20, 30)},
            today_at(21, 30),
            today_at(21, 30, days=1),
        ),
    ],
)
def test_closure_moves_the_promises_it_touches(
    system: Actor, hangzhou: City, chengdu: City, fields: dict, pickup: datetime, delivery: datetime
) -> None:
    declared(system, **fields)
    outcome = promised(hangzhou, chengdu)
    assert (outcome.pickup_by, outcome.deliver_by) == (pickup, delivery)


def test_a_closed_night_is_an_evening_and_the_morning_after(system: Actor) -> None:
    closures = declared(system, first=TODAY, last=TOMORROW, starts=time(20), ends=time(6))
    assert [(closure.date, closure.starts, closure.ends) for closure in closures] == [
        (TODAY, time(20), None),
        (TOMORROW, time(20), None),
        (TOMORROW, time(0), time(6)),
        (TOMORROW + DAY, time(0), time(6)),
    ]
    with pytest.raises(InvalidInput) as refused:
        declared(system, first=TOMORROW, starts=time(20), ends=time(6))
    assert "already declared" in refused.value.errors[0].message


def test_a_night_until_midnight_is_an_evening(system: Actor) -> None:
    [closure] = declared(system, first=TODAY, starts=time(20), ends=time(0))
    assert (closure.starts, closure.ends) == (time(20), None)


def test_closure_of_a_city_does_not_affect_its_province(system: Actor, hangzhou: City, chengdu: City) -> None:
    ningbo = City.objects.get(name_en="Ningbo")
    declared(system, city=hangzhou)
    assert promised(hangzhou, chengdu).effective_date == TOMORROW
    assert promised(ningbo, chengdu).effective_date == TODAY


def test_promise_made_before_a_closure_was_announced_is_made_again_the_same(
    system: Actor, hangzhou: City, chengdu: City
) -> None:
    before = promised(hangzhou, chengdu, at=NOON)
    declared(system, city=hangzhou, at=NOON + timedelta(minutes=1))
    assert promised(hangzhou, chengdu, at=NOON) == before
    assert promised(hangzhou, chengdu, at=NOON + timedelta(minutes=1)).effective_date == TOMORROW


def test_closure_announced_for_later_counts_from_then(system: Actor, hangzhou: City, chengdu: City) -> None:
    declared(system, city=hangzhou, first=TOMORROW, announced_at=today_at(19))
    assert promised(hangzhou, chengdu, at=today_at(18, 30)).effective_date == TOMORROW
    assert promised(hangzhou, chengdu, at=today_at(19)).effective_date == TOMORROW + DAY


def test_withdrawn_closure_counts_for_promises_made_in_between(
    system: Actor, hangzhou: City, chengdu: City
) -> None:
    [closure] = declared(system, city=hangzhou)
    withdraw_closure(actor=system, closure_id=closure.pk, now=NOON + timedelta(hours=1))
    assert promised(hangzhou, chengdu, at=NOON).effective_date == TOMORROW
    assert promised(hangzhou, chengdu, at=NOON + timedelta(hours=1)).effective_date == TODAY
    # Known at another moment than the promise is asked for.
    later = calendar_at(NOON, known_at=NOON + timedelta(hours=1))
    assert not later.closure(place_of(hangzhou), TODAY, ClosureSide.ORIGIN, True)


# --- declaring --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "pointer", "message"),
    [
        ({"name": " "}, "/name", "Enter the reason for the closure."),
        ({"side": "left"}, "/side", "Choose origin"),
        ({"country": "XX"}, "/country", "country has no such city"),
        ({"country": ""}, "/country", "country has no such city"),
        ({"province": "Zhejang"}, "/province", "Did you mean: Zhejiang"),
        ({"province": "Atlantis"}, "/province", "Unknown province in that country."),
        ({"last": TODAY - DAY}, "/last", "before the first"),
        ({"last": TODAY + 31 * DAY}, "/last", "at most 31 days"),
        ({"first": TODAY + 1_100 * DAY}, "/first", "three years ahead"),
        ({"first": TODAY - 400 * DAY}, "/first", "a year ago"),
        ({"starts": time(18), "ends": time(18)}, "/ends", "Start and end are the same"),
        ({"ends": time(0)}, "/ends", "Start and end are the same"),
        ({"announced_at": NOON - timedelta(hours=1)}, "/announced_at", "did not take it into account"),
    ],
)
def test_closures_that_cannot_be_are_refused(system: Actor, fields: dict, pointer: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        declared(system, **fields)
    [error] = refused.value.errors
    assert error.pointer == pointer
    assert message in str(error.message)
    assert not Closure.objects.exists()


def test_all_problems_of_a_closure_are_reported_together(system: Actor) -> None:
    with pytest.raises(InvalidInput) as refused:
        declared(system, name="", country="XX", last=TODAY - DAY)
    assert [error.pointer for error in refused.value.errors] == ["/name", "/country", "/last"]


def test_city_and_province_must_belong_together(system: Actor, hangzhou: City) -> None:
    with pytest.raises(InvalidInput, match=r".*") as error:
        declared(system, city=hangzhou, province="Sichuan")
    assert str(error.value.errors[0].message) == "Hangzhou is in Zhejiang."
    with pytest.raises(InvalidInput) as error:
        declared(system, city=hangzhou, country="JP")
    assert str(error.value.errors[0].message) == "Hangzhou is not in that country."
    assert declared(system, city=hangzhou, province="浙江省", country="")[0].province == "Zhejiang"


@pytest.mark.parametrize(
    ("second", "is_duplicate"),
    [
        ({}, True),
        ({"name": "typhoon"}, True),
        ({"name": "Storm"}, True),  # the same hours, whatever it is called
        ({"last": TOMORROW}, True),  # one of its days
        ({"side": "origin"}, True),
        ({"name": "Storm", "side": "origin"}, False),
        ({"first": TOMORROW}, False),
        ({"province": "Zhejiang"}, False),
        ({"starts": time(12)}, False),
        ({"starts": time(0)}, True),  # from midnight to midnight is all day
    ],
)
def test_same_closure_is_not_declared_twice(system: Actor, second: dict, is_duplicate: bool) -> None:
    declared(system)
    if not is_duplicate:
        assert declared(system, **second)
        return
    with pytest.raises(InvalidInput) as error:
        declared(system, **second)
    assert str(error.value.errors[0].message) == f"This closure is already declared for {day_text(TODAY)}."
    assert Closure.objects.count() == 1


def test_withdrawn_closure_can_be_declared_again(system: Actor) -> None:
    [closure] = declared(system)
    withdraw_closure(actor=system, closure_id=closure.pk)
    assert declared(system)[0].pk != closure.pk
    with pytest.raises(NotFound):
        withdraw_closure(actor=system, closure_id=closure.pk)
    assert list(
        AuditEntry.objects.filter(object_type="closure").order_by("pk").values_list("verb", flat=True)
    ) == ["closure.declared", "closure.withdrawn", "closure.declared"]


def test_only_ops_declare_and_take_back(system: Actor, courier: Actor, merchant: Actor) -> None:
    [closure] = declared(system)
    for actor in (courier, merchant):
        with pytest.raises(NotPermitted):
            declared(actor)
        with pytest.raises(NotPermitted):
            withdraw_closure(actor=actor, closure_id=closure.pk)
        with pytest.raises(NotPermitted):
            load_holidays(actor=actor)


@pytest.mark.parametrize("hours", [(None, time(9)), (time(9), time(9)), (time(9), time(8))])
def test_database_refuses_hours_that_cannot_be(hours: tuple[time | None, time]) -> None:
    with pytest.raises(IntegrityError, match="closure_ends_after_start"), transaction.atomic():
        Closure.objects.create(date=TODAY, country="CN", name="x", starts=hours[0], ends=hours[1])


# --- public holidays --------------------------------------------------------------------------


def days_off(year: int) -> list[date]:
    standing = Closure.objects.filter(is_public_holiday=True, withdrawn_at=None, date__year=year)
    return list(standing.order_by("date").values_list("date", flat=True))


def test_year_of_holidays_matches_the_package(system: Actor) -> None:
    result = load_holidays(actor=system, first_year=2026, last_year=2026)
    assert days_off(2026) == [item.date for item in holidays_between(2026, 2026)]
    assert result.added == len(days_off(2026)) > 11
    assert days_off(2025) == days_off(2027) == []
    assert AuditEntry.objects.get(verb="holidays.loaded").detail["added"] == result.added


def test_loading_again_changes_nothing(system: Actor) -> None:
    first = load_holidays(actor=system)
    second_result = load_holidays(actor=system)
    assert (second_result.added, second_result.removed, second_result.kept) == (0, 0, first.added)


def test_schedule_that_differs_takes_days_back_and_adds_days_from_now_on(system: Actor) -> None:
    load_holidays(actor=system, first_year=2026, last_year=2026)
    Closure.objects.filter(date=date(2026, 10, 1)).delete()
    Closure.objects.create(date=date(2026, 10, 9), country="CN", name="Called off", is_public_holiday=True)
    Closure.objects.create(date=date(2026, 10, 10), country="CN", name="Stop")
    Closure.objects.filter(date=date(2026, 10, 2)).update(name="Golden Week")
    result = load_holidays(actor=system, first_year=2026, last_year=2026, now=NOON)
    assert (result.added, result.removed) == (1, 1)
    assert Closure.objects.get(date=date(2026, 10, 9)).withdrawn_at == NOON
    # Promises made before could not take it into account.
    assert Closure.objects.get(date=date(2026, 10, 1)).announced_at == NOON
    assert Closure.objects.get(date=date(2026, 10, 2)).name == "National Day"
    assert Closure.objects.get(date=date(2026, 10, 10)).withdrawn_at is None


def test_year_without_a_schedule_has_the_days_the_law_names(system: Actor) -> None:
    year = last_published_year() + 1
    load_holidays(actor=system, first_year=year)
    assert {date(year, 1, 1), date(year, 5, 1), date(year, 10, 1)} <= set(days_off(year))


@pytest.mark.parametrize(
    ("years", "pointer"),
    [((1999, 1999), "/first_year"), ((3000, 3000), "/first_year"), ((2026, 2025), "/last_year")],
)
def test_years_that_cannot_be_are_refused(system: Actor, years: tuple[int, int], pointer: str) -> None:
    with pytest.raises(InvalidInput) as error:
        load_holidays(actor=system, first_year=years[0], last_year=years[1])
    assert error.value.errors[0].pointer == pointer


def test_each_tier_defines_whether_it_works_on_holidays(system: Actor, hangzhou: City, chengdu: City) -> None:
    load_holidays(actor=system, first_year=2026, last_year=2026)
    golden_week = datetime(2026, 10, 1, 9, tzinfo=timezone.get_default_timezone())
    days = {tier: promised(hangzhou, chengdu, at=golden_week, tier=tier).effective_date for tier in TierCode}
    assert days == {
        "same_day": date(2026, 10, 1),
        "next_day": date(2026, 10, 1),
        "standard": date(2026, 10, 8),
    }
