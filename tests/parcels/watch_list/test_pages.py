"""The page and API of the watch list: visibility, order, filters and paging."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.portal.navigation import NAVIGATION
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.watch_list.queries import Place, WatchQuery, page_of_watched
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import WatchItem
from tests.factories import SWIFT
from tests.parcels.helpers.parcel_views import client_of, scan, text_of
from tests.parcels.helpers.watch_list import due_in, history, refresh

pytestmark = pytest.mark.django_db
Company = Organisation
LIST, API = "/watch/", "/api/v1/watch"


def put(
    parcel: Parcel, *, chance: float, due_in_hours: float, reason: str = "at_risk", **values: Any
) -> WatchItem:
    """Store one row of the list, as a refresh would."""
    now = timezone.now()
    with scope(Scope.everything()):
        return WatchItem.objects.create(
            parcel_id=parcel.pk, reason=reason, merchant_id=parcel.merchant_id, courier_id=parcel.courier_id,
            tier_id=parcel.tier_id, origin_id=parcel.origin_id, destination_id=parcel.destination_id,
            due_at=now + timedelta(hours=due_in_hours), stage="picked_up", stage_at=now, chance=chance,
            refreshed_at=now, **values,
        )  # fmt: skip


@pytest.fixture
def parcels(merchant_organisation: Company, courier_organisation: Company) -> list[Parcel]:
    return due_in(merchant_organisation, courier_organisation, 5, count=6)


def numbers(answer: Any) -> list[str]:
    return [row["tracking_number"] for row in answer.json()["results"]]


# --- order ---


def test_recoverable_parcels_come_first_then_the_latest_overdue(
    merchant_api: APIClient, parcels: list[Parcel]
) -> None:
    order = [
        put(parcels[3], chance=0.6, due_in_hours=1),
        put(parcels[0], chance=0.9, due_in_hours=3),
        put(parcels[5], chance=0.7, due_in_hours=20),
        put(parcels[1], chance=1, due_in_hours=-1, reason="delayed"),
        put(parcels[4], chance=1, due_in_hours=-50, reason="delayed"),
    ]
    assert numbers(merchant_api.get(API)) == [item.number for item in order]


def test_parcels_due_together_are_ordered_by_risk(merchant_api: APIClient, parcels: list[Parcel]) -> None:
    items = [put(parcel, chance=0.5 + place / 100, due_in_hours=2) for place, parcel in enumerate(parcels)]
    with scope(Scope.everything()):
        WatchItem.objects.update(due_at=items[0].due_at)
    assert numbers(merchant_api.get(API)) == [item.number for item in reversed(items)]


def test_only_missed_promises_are_red(merchant_client: Client, parcels: list[Parcel]) -> None:
    """An attempt in time keeps the promise; the parcel is listed because it is not yet delivered."""
    put(parcels[0], chance=0, due_in_hours=-3, reason="failed_attempt")
    put(parcels[1], chance=1, due_in_hours=-2, reason="delayed")
    put(parcels[2], chance=0.6, due_in_hours=2)
    rows = merchant_client.get("/watch/").context["rows"]
    assert {row.watched.item.parcel_id: row.is_missed for row in rows} == {
        parcels[0].pk: False,
        parcels[1].pk: True,
        parcels[2].pk: False,
    }


def test_parcels_in_trouble_come_first(
    merchant_api: APIClient, merchant_organisation: Company, courier_organisation: Company
) -> None:
    damaged, held, failed, risky, late = (
        due_in(merchant_organisation, courier_organisation, hours)[0] for hours in (20, 15, 18, 2, -1)
    )
    history(courier_organisation, [-60] * 5 + [90] * 95, like=risky)
    for parcel in (damaged, held, failed, risky, late):
        scan(parcel, "picked_up", 3)
    scan(damaged, "damaged", 9)
    scan(held, "held", 14, reason="customs_inspection")
    scan(failed, "attempt_failed", 11, reason="courier_vehicle")
    sweep_overdue(now=timezone.now())
    refresh()
    rows = merchant_api.get(f"{API}?page_size=2").json()
    answers = [*rows["results"], *merchant_api.get(rows["next"]).json()["results"]]
    assert [answer["tracking_number"] for answer in answers] == [
        item.number for item in (held, failed, damaged, risky)
    ]
    assert [answer["chance_late"] >= 0.5 for answer in answers] == [True] * 4
    assert [answer["expected"] is None for answer in answers] == [True, False, True, False]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_pages_have_every_parcel_once_in_both_directions(
    merchant_api: APIClient, parcels: list[Parcel], size: int
) -> None:
    for place, parcel in enumerate(parcels):
        past = place % 2
        put(parcel, chance=1.0 if past else 0.6, due_in_hours=(-1 if past else 1) * (place // 2 + 1))
        put(parcel, chance=1.0 if past else 0.6, due_in_hours=0, reason="silent")
        with scope(Scope.everything()):
            at_risk = WatchItem.objects.get(parcel_id=parcel.pk, reason="at_risk")
            WatchItem.objects.filter(parcel_id=parcel.pk).update(due_at=at_risk.due_at)
    everything = numbers(merchant_api.get(API))
    assert sorted(everything) == sorted(parcel.number for parcel in parcels)
    listed, url, last = [], f"{API}?page_size={size}", None
    while url:
        answer = merchant_api.get(url)
        listed += numbers(answer)
        last, url = answer, answer.json()["next"]
    assert listed == everything
    back, url = numbers(last), last.json()["previous"]
    while url:
        answer = merchant_api.get(url)
        back, url = numbers(answer) + back, answer.json()["previous"]
    # Going back fills the first page again.
    assert back[-len(everything) :] == everything
    assert list(dict.fromkeys(back)) == everything


def test_place_round_trips_as_text(parcels: list[Parcel]) -> None:
    now = timezone.now()
    place = Place(now, True, now + timedelta(hours=3), 0.123456789, parcels[0].pk)
    assert Place.read(str(place)) == place
    for text in ("", "x", "a~0~b~c~d", f"{now.isoformat()}~0~{now.isoformat()}~nan~{parcels[0].number}",
                 f"{now.isoformat()}~0~2026-01-01~0.5~{parcels[0].number}",
                 f"{now.isoformat()}~2~{now.isoformat()}~0.5~{parcels[0].number}"):  # fmt: skip
        assert Place.read(text) is None


def test_page_whose_parcels_left_the_list_is_its_end(merchant: Actor, parcels: list[Parcel]) -> None:
    now = timezone.now()
    put(parcels[0], chance=0.6, due_in_hours=1)
    far = Place(now, False, now - timedelta(days=9), 1.0, parcels[1].pk)
    with scope(Scope.of(merchant)):
        page = page_of_watched(merchant, WatchQuery(), size=5, now=now, after=str(far))
        near = Place(now, False, now - timedelta(days=9), 0.0, parcels[1].pk)
        newer = page_of_watched(merchant, WatchQuery(), size=5, now=now, before=str(near), is_exact=True)
    assert (page.watched, page.before, page.after, page.is_past_end) == ([], None, None, True)
    assert [watched.parcel.pk for watched in newer.watched] == [parcels[0].pk]
    assert newer.before is None


def test_page_past_the_end_leads_back_to_the_start(merchant_client: Client, parcels: list[Parcel]) -> None:
    now = timezone.now()
    put(parcels[0], chance=0.6, due_in_hours=1)
    far = Place(now, False, now - timedelta(days=9), 1.0, parcels[1].pk)
    start = merchant_client.get(LIST).context["sorting"]
    page = merchant_client.get(LIST, {"after": start.seal.close(str(far))})
    assert "No more results" in page.content.decode()
    assert len(merchant_client.get(LIST + page.context["newest_url"]).context["rows"]) == 1


def test_list_is_sorted_by_risk_and_due_time_both_ways(
    merchant_client: Client, parcels: list[Parcel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.portal.watch_list.PAGE_SIZE", 2)
    for place, chance in enumerate((0.6, 0.9, 0.7, 0.9, 0.8)):
        put(parcels[place], chance=chance, due_in_hours=5 - place)
        put(parcels[place], chance=chance, due_in_hours=5 - place, reason="silent")
        with scope(Scope.everything()):
            due_at = WatchItem.objects.filter(parcel_id=parcels[place].pk)[0].due_at
            WatchItem.objects.filter(parcel_id=parcels[place].pk).update(due_at=due_at)
    orders = {
        "due": [4, 3, 2, 1, 0],
        "-due": [0, 1, 2, 3, 4],
        "-chance": [1, 3, 4, 2, 0],
        "chance": [0, 2, 4, 3, 1],
    }
    for sort, order in orders.items():
        listed, url = [], f"?sort={sort}"
        while url:
            page = merchant_client.get(LIST + url)
            listed += [row.watched.parcel.pk for row in page.context["rows"]]
            url = page.context["next_url"]
        assert listed == [parcels[place].pk for place in order]
        # Other filters keep the order.
        assert all(f"sort={sort}" in chip.url for chip in page.context["tiers"])
    assert merchant_client.get(LIST, {"sort": "-urgency"}).status_code == 422


# --- filters ---


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # Without filters: parcels with a low risk are not listed.
        ("", "likely failed"),
        ("chance_late=0.05", "likely unlikely"),
        ("chance_late=0.2", "likely"),
        ("chance_late=0.8", ""),
        ("reason=failed_attempt", "failed"),
        ("reason=at_risk", "likely"),
        ("reason=at_risk&chance_late=0.05", "likely unlikely"),
        ("reason=silent", ""),
        ("tier=next_day", "likely failed"),
        ("tier=same_day", ""),
    ],
)
def test_filters(merchant_api: APIClient, parcels: list[Parcel], query: str, expected: str) -> None:
    items = {
        "likely": put(parcels[0], chance=0.6, due_in_hours=1),
        "unlikely": put(parcels[1], chance=0.1, due_in_hours=2),
        "failed": put(parcels[2], chance=0.0, due_in_hours=3, reason="failed_attempt"),
    }
    assert numbers(merchant_api.get(f"{API}?{query}")) == [items[name].number for name in expected.split()]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("reason=bored", "/reason"),
        ("tier=slow", "/tier"),
        ("chance_late=2", "/chance_late"),
        ("chance_late=x", "/chance_late"),
        ("page_size=0", "/page_size"),
        ("cursor=9999-12-31T23:59:59-23:00~0001-01-01T00:00:00%2B23:00~0.5~CA17ZTVDE00JSY83", "/cursor"),
        ("page_size=501", "/page_size"),
        ("cursor=1234", "/cursor"),
        ("before=1234", "/before"),
        ("limit=5", "/limit"),
    ],
)
def test_invalid_parameters_are_refused(merchant_api: APIClient, query: str, pointer: str) -> None:
    answer = merchant_api.get(f"{API}?{query}")
    assert answer.status_code == 422
    assert answer["Content-Type"].startswith("application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_chips_count_and_filter_in_one_click(merchant_client: Client, parcels: list[Parcel]) -> None:
    put(parcels[0], chance=0.6, due_in_hours=1)
    put(parcels[1], chance=0.1, due_in_hours=1)
    put(parcels[2], chance=0.0, due_in_hours=1, reason="silent")
    page = merchant_client.get(LIST)
    assert [(str(chip.label), chip.count) for chip in page.context["reasons"]] == [
        ("All reasons", None), ("No recent scans", 1), ("At risk", 1),
    ]  # fmt: skip
    silent = page.context["reasons"][1]
    narrowed = merchant_client.get(LIST + silent.url)
    assert parcels[2].number in text_of(narrowed)
    assert parcels[0].number not in text_of(narrowed)
    assert [chip.active for chip in narrowed.context["reasons"]] == [False, True, False]
    unlikely = merchant_client.get(f"{LIST}?chance=5&tier=next_day")
    assert parcels[1].number in text_of(unlikely)
    assert "tier=next_day" in unlikely.context["chances"][2].url


@pytest.mark.parametrize("query", ["after=1", "before=~~~", "sort=reason"])
def test_cursors_and_sorts_of_other_lists_are_refused(
    merchant_client: Client, parcels: list[Parcel], query: str
) -> None:
    put(parcels[0], chance=0.6, due_in_hours=1)
    page = merchant_client.get(f"{LIST}?{query}")
    assert (page.status_code, page.context["rows"]) == (422, [])
    assert "This link does not fit this list" in text_of(page)
    assert parcels[0].number in text_of(merchant_client.get(f"{LIST}?utm_source=mail"))


@pytest.mark.parametrize(
    ("query", "phrase", "narrowed"),
    [
        ("reason=bored&tier=next_day", "bored is not one of the available", "?tier=next_day&reason=at_risk"),
        ("chance=7", "7 is not one of the available", "?reason=at_risk"),
        ("tier=x", "x is not one of the available", "?reason=at_risk"),
    ],
)
def test_page_refuses_unknown_filters_and_offers_the_valid_ones(
    merchant_client: Client, parcels: list[Parcel], query: str, phrase: str, narrowed: str
) -> None:
    put(parcels[0], chance=0.6, due_in_hours=1)
    page = merchant_client.get(f"{LIST}?{query}")
    assert page.status_code == 422
    assert phrase in text_of(page)
    assert parcels[0].number not in text_of(page)
    # No chip is active for a list that is not shown.
    assert not re.search(r'class="ca-chip"[^>]*aria-current', page.content.decode())
    # Polling it would be refused each minute.
    assert "every 60s" not in page.content.decode()
    assert page.context["reasons"][1].url == narrowed


# --- visibility ---


def test_members_see_only_their_parcels(
    parcels: list[Parcel], merchant_client: Client, courier_client: Client, rival_courier: Company,
    rival_merchant: Company, ops_client: Client,
) -> None:  # fmt: skip
    put(parcels[0], chance=0.6, due_in_hours=1)
    number = parcels[0].number
    for client in (merchant_client, courier_client, ops_client):
        assert number in text_of(client.get(LIST))
    for outsider in (rival_courier, rival_merchant):
        page = text_of(client_of(outsider).get(LIST))
        assert number not in page
        assert "No parcels need attention" in page


def test_count_in_the_menu_matches_the_page(
    merchant_client: Client, merchant: Actor, rival_merchant: Company, parcels: list[Parcel]
) -> None:
    for parcel in parcels[:4]:
        put(parcel, chance=0.6, due_in_hours=1)
        put(parcel, chance=0.6, due_in_hours=1, reason="silent")
    put(parcels[4], chance=0.2, due_in_hours=1)
    count = NAVIGATION["parcels:watch_list"].count
    with scope(Scope.of(merchant)):
        assert count(merchant) == 4
    assert merchant_client.get(LIST).context["total"] == 4
    outsider = actor_of_organisation(rival_merchant, kind="user", role="owner", label="x")
    with scope(Scope.of(outsider)):
        assert count(outsider) == 0


def test_filter_without_matches_can_be_cleared(merchant_client: Client) -> None:
    assert "No parcels need attention" in text_of(merchant_client.get(LIST))
    page = merchant_client.get(f"{LIST}?reason=silent")
    assert "Nothing matches these filters" in text_of(page)
    assert [chip.count for chip in page.context["reasons"]] == [None, 0]


@pytest.mark.parametrize("count", [1, 3])
def test_page_query_count_does_not_depend_on_parcels(
    courier_client: Client, parcels: list[Parcel], count: int, django_assert_num_queries: Any
) -> None:
    for parcel in parcels[:count]:
        put(parcel, chance=0.6, due_in_hours=1)
        put(parcel, chance=0.6, due_in_hours=1, reason="silent")
    # The first request loads the forecast curves, the cities and the tiers.
    courier_client.get(LIST)
    with django_assert_num_queries(22):
        courier_client.get(LIST)


def test_ops_see_the_list_in_the_admin(ops_client: Client, parcels: list[Parcel]) -> None:
    likely, unlikely = (
        put(parcels[0], chance=0.61, due_in_hours=1),
        put(parcels[1], chance=0.1, due_in_hours=1),
    )
    url = reverse("admin:slas_watchitem_changelist")
    page = text_of(ops_client.get(url))
    assert likely.number in page
    assert "61 %" in page
    assert unlikely.number not in page
    assert unlikely.number in text_of(ops_client.get(f"{url}?likely=5"))
    assert unlikely.number not in text_of(ops_client.get(f"{url}?likely=20"))


# --- rows ---


def test_row_shows_all_data(
    merchant_api: APIClient, merchant_client: Client, merchant_organisation: Company,
    courier_organisation: Company,
) -> None:  # fmt: skip
    [parcel] = due_in(merchant_organisation, courier_organisation, 2, reference="SO-77")
    history(courier_organisation, [-60] * 30 + [90] * 70, like=parcel)
    scan(parcel, "picked_up", 3)
    refresh()
    [row] = merchant_api.get(API).json()["results"]
    assert row["tracking_number"] == parcel.number
    assert (row["reference"], row["courier"], row["reasons"]) == (
        "SO-77",
        SWIFT,
        ["silent", "at_risk"],
    )
    assert (row["origin"], row["destination"], row["tier"]) == ("CN-HGH", "CN-CTU", "next_day")
    assert (row["status"], row["stage"], row["chance_late"]) == ("picked_up", "picked_up", 0.7)
    assert row["expected"]["p50_at"] <= row["expected"]["p90_at"]
    assert row["promise"]["current"].endswith("+08:00")
    page = text_of(merchant_client.get(LIST))
    for phrase in (
        parcel.number,
        "SO-77",
        "Swift Express",
        "No recent scans",
        "At risk",
        "70 %",
        "in 1 h 59 min",
    ):
        assert phrase in page, phrase
