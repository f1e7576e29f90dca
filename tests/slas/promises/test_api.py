"""API of promises: what would be promised, step by step, and closures."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.models import City
from slas.models import Closure, ServiceTier, TierVersion

pytestmark = pytest.mark.django_db
PROMISES, CLOSURES = "/api/v1/promises", "/api/v1/closures"
BOOKED = "2026-09-30T17:40:00+08:00"
ASKED = {"origin": "CN-HGH", "destination": "CN-CTU", "tier": "next_day", "booked_at": BOOKED}
DAY = timedelta(days=1)
TODAY = timezone.localdate()


@pytest.fixture(autouse=True)
def no_holidays(db: None) -> None:
    Closure.objects.all().delete()


@pytest.fixture
def second_version() -> TierVersion:
    """From September 2026 the next-day tier takes two days."""
    first = ServiceTier.objects.get(code="next_day").versions.get()
    first.pk, first.number, first.days_in_transit = None, 2, 2
    first.valid_from = datetime(2026, 9, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
    first.save()
    return first


def ask(client: APIClient, address: str = PROMISES, **given: Any) -> Any:
    asked = {**ASKED, **given} if address == PROMISES else given
    return client.get(address, {name: value for name, value in asked.items() if value is not ...})


def test_every_version_returns_its_promise_with_steps(
    merchant_api: APIClient, second_version: TierVersion, chengdu: City
) -> None:
    Closure.objects.create(
        date=date(2026, 10, 1), country="CN", city=chengdu, name="National Day",
        announced_at=datetime.fromisoformat(BOOKED),
    )  # fmt: skip
    newest, first = ask(merchant_api).json()
    assert (newest["version"], newest["in_force"], first["version"], first["in_force"]) == (2, True, 1, False)
    assert newest["promise"]["current"] == "2026-10-03T20:00:00+08:00"
    assert first["promise"]["current"] == "2026-10-02T20:00:00+08:00"
    assert [step["text"] for step in newest["promise"]["steps"]] == [
        "Booked Wed 30 Sep 2026 17:40, Hangzhou time.",
        "In time for the cut-off in Hangzhou, 18:00, so pickup is on Wed 30 Sep 2026.",
        "Picked up in Hangzhou by Wed 30 Sep 2026 20:00.",
        "Chengdu is 2 days away.",
        "Chengdu is closed on Thu 1 Oct 2026 (National Day).",
        "Delivered in Chengdu by Sat 3 Oct 2026 20:00.",
    ]


def test_version_in_force_comes_before_one_that_is_announced(
    merchant_api: APIClient, second_version: TierVersion
) -> None:
    TierVersion.objects.filter(pk=second_version.pk).update(valid_from=timezone.now() + timedelta(days=400))
    assert [(answer["version"], answer["in_force"]) for answer in ask(merchant_api).json()] == [
        (1, True),
        (2, False),
    ]


def test_tiers_name_the_versions_announced(merchant_api: APIClient, second_version: TierVersion) -> None:
    starts = timezone.now().replace(microsecond=0) + timedelta(days=2)
    TierVersion.objects.filter(pk=second_version.pk).update(valid_from=starts)
    tiers = {tier["tier"]: tier for tier in merchant_api.get("/api/v1/tiers").json()}
    assert (tiers["next_day"]["version"], tiers["next_day"]["days_in_transit"]) == (1, 1)
    [announced] = tiers["next_day"]["announced"]
    assert datetime.fromisoformat(announced["starts_at"]) == starts
    assert (announced["version"], announced["days_in_transit"]) == (2, 2)
    assert tiers["standard"]["announced"] == []


def test_version_and_known_at_select_the_answer(
    courier_api: APIClient, second_version: TierVersion, chengdu: City
) -> None:
    announced = datetime.fromisoformat(BOOKED) + timedelta(hours=2)
    Closure.objects.create(
        date=date(2026, 10, 1), country="CN", city=chengdu, name="Typhoon", announced_at=announced
    )
    [then] = ask(courier_api, version=2).json()
    [later] = ask(courier_api, version=2, known_at=announced.isoformat()).json()
    assert then["promise"]["current"] == "2026-10-02T20:00:00+08:00"
    assert later["promise"]["current"] == "2026-10-03T20:00:00+08:00"


def test_rolled_pickup_is_explained(merchant_api: APIClient) -> None:
    [answer] = ask(merchant_api, booked_at="2026-09-30T18:00:01+08:00").json()
    assert (answer["promise"]["rolled"], answer["promise"]["rolled_days"]) == (True, 1)
    assert answer["promise"]["note"] == (
        "The cut-off in Hangzhou for pickup on Wed 30 Sep 2026 has passed: it was 18:00."
        " Pickup is on Thu 1 Oct 2026."
    )


def test_plus_of_an_offset_may_come_unescaped(merchant_api: APIClient) -> None:
    query = "origin=Hangzhou&destination=Chengdu&tier=next_day&booked_at=2026-09-30T17:40:00+08:00"
    assert merchant_api.get(f"{PROMISES}?{query}").json() == ask(merchant_api).json()


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"origin": "Atlantis"}, "/origin", "unknown_city"),
        ({"destination": ...}, "/destination", "required"),
        ({"destination": "x" * 200}, "/destination", "max_length"),
        ({"tier": "overnight"}, "/tier", "invalid_choice"),
        ({"booked_at": "2026-09-30T17:40:00"}, "/booked_at", "naive"),
        ({"booked_at": "yesterday"}, "/booked_at", "invalid"),
        ({"booked_at": "2026-09-30T17:40:00+08:00:00.5"}, "/booked_at", "invalid"),
        ({"known_at": "2026-09-30T17:40:00+08:00:30"}, "/known_at", "invalid"),
        ({"booked_at": "1999-01-01T00:00:00Z"}, "/booked_at", "range"),
        ({"booked_at": "9999-12-31T23:59:59-12:00"}, "/booked_at", "range"),
        ({"ready_at": "2026-09-30T17:39:00+08:00"}, "/ready_at", "order"),
        ({"ready_at": "2026-12-30T17:39:00+08:00"}, "/ready_at", "too_far_ahead"),
        ({"known_at": "0001-01-01T00:00:00Z"}, "/known_at", "range"),
        ({"version": "9"}, "/version", "unknown"),
        ({"version": "two"}, "/version", "invalid"),
        ({"versoin": "2"}, "/versoin", "unknown"),
    ],
)
def test_invalid_questions_are_refused_with_pointers(
    merchant_api: APIClient, changes: dict, pointer: str, code: str
) -> None:
    answer = ask(merchant_api, **changes)
    assert answer.status_code == 422
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


def test_anonymous_requests_are_refused() -> None:
    for address in (PROMISES, CLOSURES):
        assert APIClient().get(address).status_code == 401


# --- closures ---------------------------------------------------------------------------------


def close(**given: Any) -> None:
    Closure.objects.create(**{"date": TODAY, "country": "CN", "name": "Stop", **given})


def test_closures_are_listed_with_place_and_hours(merchant_api: APIClient, hangzhou: City) -> None:
    close(city=hangzhou, province="Zhejiang", starts=time(14), ends=time(18), side="origin")
    [answer] = ask(merchant_api, CLOSURES).json()
    assert answer.pop("announced_at")
    assert answer == {
        "day": TODAY.isoformat(), "hours": "14:00–18:00", "name": "Stop", "side": "origin",
        "country": "CN", "province": "Zhejiang", "city": "CN-HGH", "is_public_holiday": False,
    }  # fmt: skip


def test_closures_list_has_announced_closures_of_the_period(merchant_api: APIClient) -> None:
    close(name="Yesterday", date=TODAY - DAY)
    close(name="Today")
    close(name="In sixty days", date=TODAY + 60 * DAY)
    close(name="Later", date=TODAY + 61 * DAY)
    close(name="Withdrawn", withdrawn_at=timezone.now())
    close(name="Not announced", announced_at=timezone.now() + DAY)
    assert [item["name"] for item in ask(merchant_api, CLOSURES).json()] == ["Today", "In sixty days"]
    asked = {"from": TODAY - DAY, "to": TODAY}
    assert [item["name"] for item in ask(merchant_api, CLOSURES, **asked).json()] == ["Yesterday", "Today"]


def test_closures_of_a_city_are_its_own_its_provinces_and_its_countrys(
    merchant_api: APIClient, hangzhou: City, chengdu: City
) -> None:
    close(name="City", city=hangzhou, province="Zhejiang")
    close(name="Other city", city=chengdu, province="Sichuan")
    close(name="Province", province="Zhejiang")
    close(name="Other province", province="Sichuan")
    close(name="Country")
    close(name="Other country", country="JP")
    result = ask(merchant_api, CLOSURES, city="Hangzhou").json()
    assert [item["name"] for item in result] == ["City", "Country", "Province"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"from": "soon"}, "/from"),
        ({"from": "2026-02-30"}, "/from"),
        ({"from": "2026-10-02", "to": "2026-10-01"}, "/to"),
        ({"from": "2026-01-01", "to": "2028-01-01"}, "/to"),
        ({"from": "9999-12-31"}, "/to"),
        ({"city": "Atlantis"}, "/city"),
        ({"country": "CN"}, "/country"),
    ],
)
def test_invalid_closure_queries_are_refused_with_pointers(
    merchant_api: APIClient, changes: dict, pointer: str
) -> None:
    answer = ask(merchant_api, CLOSURES, **changes)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
