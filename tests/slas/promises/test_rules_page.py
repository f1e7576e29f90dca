"""The page of the services' rules and of coming closures."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from alliance.dates import date_text
from alliance.models import City
from alliance.tenancy import Scope, scope
from slas.choices import ClosureSide, TierCode
from slas.models import Closure, ServiceTier, TierVersion
from slas.promises.rule_texts import cut_off_times, delivered_by, delivered_on, price_bands

pytestmark = pytest.mark.django_db
PAGE = "/promises/"


def text_of(client: Client, query: str = "", status: int = 200) -> str:
    response = client.get(PAGE + query)
    assert response.status_code == status
    return " ".join(strip_tags(response.content.decode()).split())


def announce(tier: ServiceTier, *, starts: datetime) -> TierVersion:
    return TierVersion.objects.create(
        tier=tier, number=99, valid_from=starts, cut_offs={"0": {"time": "17:30", "day_offset": -1}},
        pickup_by=time(21), deliver_by=time(19), days_in_transit=1, delivery_weekdays=[0, 5],
        works_on_holidays=False, weight_bands=[{"up_to_g": 12_000, "surcharge_fen": 123_450}],
    )  # fmt: skip


def close(*, ahead: int, **given: object) -> Closure:
    day = timezone.localdate() + timedelta(days=ahead)
    return Closure.objects.create(**{"date": day, "country": "CN", "name": f"Storm {ahead}", **given})


@pytest.mark.parametrize("client_name", ["courier_client", "merchant_client", "ops_client"])
def test_all_members_read_the_rules_in_force(client_name: str, request: pytest.FixtureRequest) -> None:
    text = text_of(request.getfixturevalue(client_name))
    for words in ("11:00 every day", "18:00 every day", "22:00 on the day of pickup", "20:00, 3 days after"):
        assert words in text
    assert text.count("in force") == ServiceTier.objects.filter(active=True).count()


def test_anonymous_visitor_is_redirected_to_log_in(client: Client) -> None:
    assert client.get(PAGE)["Location"].startswith("/accounts/login/")


def test_an_announced_version_is_shown_with_everything_it_says(merchant_client: Client) -> None:
    tier = ServiceTier.objects.get(code=TierCode.NEXT_DAY)
    with scope(Scope.everything()):
        announce(tier, starts=timezone.now() + timedelta(days=3))
    text = text_of(merchant_client)
    words = (
        "99 announced", "Monday 17:30 the day before", "19:00, 1 day after pickup", "Monday, Saturday",
        "not on public holidays", "≤ 12 kg: +CNY 1,234.50",
    )  # fmt: skip
    for part in words:
        assert part in text


def test_closures_to_come_are_listed_and_others_are_not(
    merchant_client: Client, hangzhou: City, chengdu: City
) -> None:
    with scope(Scope.everything()):
        Closure.objects.all().delete()
        close(ahead=3, city=hangzhou, starts=time(12), ends=time(15), side=ClosureSide.ORIGIN)
        close(ahead=5, city=chengdu)
        close(ahead=90, is_public_holiday=True)
        close(ahead=91)
        close(ahead=-1)
        close(ahead=6, withdrawn_at=timezone.now())
        close(ahead=7, announced_at=timezone.now() + timedelta(days=1))
    text = text_of(merchant_client)
    assert [f"Storm {ahead}" in text for ahead in (3, 5, 90, 91, -1, 6, 7)] == [True] * 3 + [False] * 4
    assert "12:00" in text
    assert "Origin" in text
    narrowed = text_of(merchant_client, "?city=Hangzhou")
    assert [f"Storm {ahead}" in narrowed for ahead in (3, 5, 90)] == [True, False, True]


def test_make_up_working_days_ahead_are_listed(
    courier_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = timezone.localdate()
    days = {today + timedelta(days=5), today - timedelta(days=5), today + timedelta(days=300)}
    monkeypatch.setattr("slas.portal.promise_rules.MAKE_UP_DAYS", days)
    text = text_of(courier_client)
    assert (
        f"Make-up working days in China: {date_text(today + timedelta(days=5), 'DAY_FORMAT')}. Services go"
        in text
    )


def test_unknown_city_is_reported(courier_client: Client) -> None:
    assert "Atlantis" in text_of(courier_client, "?city=Atlantis", 422)


def test_page_without_closures_shows_a_note(courier_client: Client) -> None:
    with scope(Scope.everything()):
        Closure.objects.all().delete()
    assert "No closure is announced for these days." in text_of(courier_client)


def test_the_page_is_in_the_menu(courier_client: Client, merchant_client: Client) -> None:
    for client in (courier_client, merchant_client):
        assert f'href="{PAGE}"' in client.get(reverse("slas:rate_list")).content.decode()


@pytest.mark.parametrize(
    ("changes", "cut_offs", "days"),
    [
        ({}, "", "every day"),
        ({str(day): {"time": "18:00"} for day in range(7)}, "18:00 every day", "every day"),
        ({"6": {"time": "09:00"}, "0": {"time": "18:00"}}, "Monday 18:00, Sunday 09:00", "every day"),
        ({"0": None, "1": {"time": "18:00", "day_offset": 0}}, "Tuesday 18:00", "every day"),
    ],
)
def test_cut_offs_in_words(changes: dict[str, object], cut_offs: str, days: str) -> None:
    version = TierVersion(cut_offs=changes, days_in_transit=0, deliver_by=time(22), weight_bands=[])
    assert cut_off_times(version) == cut_offs
    assert delivered_on(version) == days
    assert delivered_by(version) == "22:00 on the day of pickup"
    assert price_bands(version) == []


def test_versions_come_newest_first(merchant_client: Client) -> None:
    tier = ServiceTier.objects.get(code=TierCode.SAME_DAY)
    with scope(Scope.everything()):
        announce(tier, starts=datetime(2015, 1, 1, tzinfo=UTC))
    tiers = merchant_client.get(PAGE).context["tiers"]
    lines = next(lines for shown, lines in tiers if shown == tier)
    starts = [line.version.valid_from for line in lines]
    assert starts == sorted(starts, reverse=True)
    assert [line.is_in_force for line in lines].count(True) == 1
