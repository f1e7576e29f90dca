"""The list of parcels: visibility, filters, search, and paging at constant cost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.choices import Role
from alliance.identifiers import parse_tracking_number
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel
from slas.models import ServiceTier
from tests.parcels.helpers.parcel_views import client_of, scan, some_parcels, text_of

pytestmark = pytest.mark.django_db
LIST = "/parcels/"
EACH_HOME = "on a cluster each of a member's homes examines as many"
Book = Callable[..., list[Parcel]]


@pytest.fixture
def book(merchant_organisation: Organisation, courier_organisation: Organisation) -> Book:
    def book(**values: Any) -> list[Parcel]:
        return some_parcels(merchant_organisation, courier_organisation, **values)

    return book


def numbers(client: Client, **query: Any) -> list[str]:
    rows = client.get(LIST, query).context["rows"]
    return [row.number for row in rows]


def test_url_of_the_list_is_stable() -> None:
    assert reverse("parcels:parcel_list") == LIST


def test_merchant_and_courier_see_their_parcels_newest_first(
    book: Book, merchant_client: Client, courier_client: Client
) -> None:
    [older], [newer] = book(hours_ago=5), book(hours_ago=1, reference="订单-1")
    assert numbers(merchant_client) == numbers(courier_client) == [newer.number, older.number]
    assert "订单-1" in text_of(merchant_client.get(LIST))


def test_other_organisations_do_not_see_the_parcels(
    book: Book, rival_merchant: Organisation, rival_courier: Organisation
) -> None:
    [parcel] = book(reference="secret-1")
    for outsider in (client_of(rival_merchant), client_of(rival_courier)):
        assert numbers(outsider) == []
        assert numbers(outsider, search=parcel.number) == []
        assert numbers(outsider, search="secret") == []


def test_anonymous_user_is_redirected_to_log_in(client: Client) -> None:
    response = client.get(LIST)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_viewer_can_read_but_not_export(book: Book, merchant_organisation: Organisation) -> None:
    book()
    page = client_of(merchant_organisation, Role.VIEWER).get(LIST)
    assert page.status_code == 200
    assert "Export" not in text_of(page)


def test_merchant_and_courier_see_each_others_name(
    book: Book, merchant_client: Client, courier_client: Client
) -> None:
    book()
    assert "Swift Express" in text_of(merchant_client.get(LIST))
    assert "Lotus Tea" in text_of(courier_client.get(LIST))


def test_list_has_no_recipients(book: Book, merchant_client: Client) -> None:
    book()
    page = text_of(merchant_client.get(LIST))
    assert "欧阳" not in page
    assert "5678" not in page


# --- filters ---------------------------------------------------------------------------------


def test_several_statuses_are_combined_with_or(book: Book, merchant_client: Client) -> None:
    first, second, third = book(count=3)
    scan(first, "picked_up", 1)
    scan(second, "departed", 1)
    numbers_found = numbers(merchant_client, status=["picked_up", "in_transit"])
    assert numbers_found == [second.number, first.number]
    assert numbers(merchant_client, status="booked") == [third.number]


def test_list_filters_by_tier_and_cities(book: Book, merchant_client: Client) -> None:
    [parcel] = book()
    [other] = book(hours_ago=1)
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=other.pk).update(
            tier=ServiceTier.objects.get(code="standard"),
            origin=parcel.destination_id,
            destination=parcel.origin_id,
        )
    assert numbers(merchant_client, tier="next_day") == [parcel.number]
    assert numbers(merchant_client, origin="CN-HGH") == [parcel.number]
    assert numbers(merchant_client, origin="成都") == [other.number]
    assert numbers(merchant_client, destination="chengdu") == [parcel.number]


def test_day_filters_are_whole_local_days(book: Book, merchant_client: Client) -> None:
    [parcel] = book(hours_ago=30)
    day = timezone.localtime(parcel.booked_at).date()
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    assert numbers(merchant_client, booked_from=day, booked_to=day) == [parcel.number]
    assert numbers(merchant_client, booked_from=after) == []
    assert numbers(merchant_client, booked_to=before) == []
    assert numbers(merchant_client, booked_from="1990-01-01", booked_to="9999-12-31") == [parcel.number]
    assert numbers(merchant_client, booked_from="9999-12-31") == []
    assert numbers(merchant_client, booked_to="0001-01-01") == []


def test_late_filter_includes_overdue_and_delivered_late(book: Book, merchant_client: Client) -> None:
    [overdue] = book(hours_ago=40)
    [delivered] = book(hours_ago=39)
    [punctual] = book(hours_ago=38)
    [young] = book(hours_ago=1)
    scan(delivered, "delivered", 33)
    scan(punctual, "delivered", 20)
    assert numbers(merchant_client, late="true") == [delivered.number, overdue.number]
    assert numbers(merchant_client, late="overdue") == [overdue.number]
    assert numbers(merchant_client, late="delivered") == [delivered.number]
    assert numbers(merchant_client, late="false") == [young.number, punctual.number]
    page = text_of(merchant_client.get(LIST, {"late": "true"}))
    assert "10 h overdue" in page
    assert "3 h late" in page


def test_invalid_filter_shows_an_error_and_no_parcels(book: Book, merchant_client: Client) -> None:
    book()
    for query, phrase in (
        ({"origin": "Atlantis City"}, "From : Unknown city “Atlantis City”"),
        ({"booked_from": "yesterday"}, "Booked from : Enter a date, such as 2026-11-22."),
        ({"booked_from": "2026-11-02", "booked_to": "2026-11-01"}, "Booked until : The end date is before"),
        ({"status": "flying"}, "Status : This is not a valid choice. Choose from: booked, "),
        ({"tier": "rocket"}, "Service : This is not a valid choice. Choose from: same_day, next_day, "),
        ({"late": "rather"}, "Promise : This is not a valid choice. Choose from: "),
        ({"search": "a\0b"}, "Tracking number or reference : Null characters are not"),
    ):
        page = merchant_client.get(LIST, query)
        assert page.status_code == 422
        assert phrase in text_of(page)
        assert page.context["rows"] == []


def test_api_reports_days_in_the_wrong_order(merchant_api: APIClient) -> None:
    answer = merchant_api.get("/api/v1/parcels?booked_from=2026-11-02&booked_to=2026-11-01")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/booked_to"]


# --- search ----------------------------------------------------------------------------------


def test_number_is_found_in_any_spelling(book: Book, merchant_client: Client) -> None:
    parcel, _other = book(count=2)
    number = parcel.number
    spaced = f" {number[:2].lower()}-{number[2:8].lower()} {number[8:]} "
    for spelling in (number, number.lower(), spaced, number.replace("0", "o").replace("1", "l")):
        assert numbers(merchant_client, search=spelling) == [parcel.number]


def test_reference_is_found_in_any_mix_of_capitals(
    book: Book, merchant_client: Client, ops_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    [upper] = book(reference="SO-9001-A")
    [lower] = book(reference="so-9001-b", hours_ago=1)
    [mixed] = book(reference="WebShop#1x", hours_ago=2)
    for looked_at in (20_000, 0):
        monkeypatch.setattr("parcels.lists.filters.LOOKED_AT", looked_at)
        for client in (merchant_client, ops_client):
            for spelling in ("so-90", "SO-90", "sO-9001-"):
                assert set(numbers(client, search=spelling)) == {upper.number, lower.number}
            for spelling in ("WEBSHOP", "webshop#1X", "wEbSh"):
                assert numbers(client, search=spelling) == [mixed.number]
            assert numbers(client, search="webshop#1xx") == []


def test_reference_is_found_by_prefix(book: Book, merchant_client: Client) -> None:
    [upper] = book(reference="PO-2026-é1")
    [lower] = book(reference="po-2026-1", hours_ago=1)
    assert set(numbers(merchant_client, search="PO-2026")) == {upper.number, lower.number}
    assert numbers(merchant_client, search="PO-2026-é") == [upper.number]
    assert numbers(merchant_client, search="2026") == []
    assert numbers(merchant_client, search="%") == numbers(merchant_client, search="PO_2026") == []


def test_mistyped_number_gets_a_hint(book: Book, merchant_client: Client) -> None:
    [parcel] = book()
    wrong = parcel.number[:8] + ("3" if parcel.number[8] != "3" else "4") + parcel.number[9:]
    page = text_of(merchant_client.get(LIST, {"search": wrong}))
    assert "one character is mistyped" in page
    assert "Nothing matches these filters" in page


# --- empty lists -----------------------------------------------------------------------------


def test_empty_list_shows_the_first_steps(merchant_client: Client, courier_client: Client) -> None:
    assert "choose a courier and book" in text_of(merchant_client.get(LIST))
    assert "Merchants book your offers" in text_of(courier_client.get(LIST))


def test_no_matches_offers_to_clear_the_filters(book: Book, merchant_client: Client) -> None:
    book()
    page = text_of(merchant_client.get(LIST, {"status": "lost"}))
    assert "Nothing matches" in page
    assert "Clear filters" in page


# --- pages -----------------------------------------------------------------------------------


@pytest.fixture
def five(book: Book, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Five parcels in pages of two; returns their numbers, newest first."""
    monkeypatch.setattr("parcels.portal.parcel_list.PAGE_SIZE", 2)
    return [parcel.number for parcel in book(count=5)][::-1]


def follow(client: Client, page: Any, way: str) -> Any:
    return client.get(LIST + page.context[f"{way}_url"])


def numbers_on(page: Any) -> list[str]:
    return [row.number for row in page.context["rows"]]


def test_paging_works_forwards_and_backwards(five: list[str], merchant_client: Client) -> None:
    first = merchant_client.get(LIST, {"status": "booked"})
    second = follow(merchant_client, first, "next")
    third = follow(merchant_client, second, "next")
    assert [numbers_on(first), numbers_on(second), numbers_on(third)] == [five[:2], five[2:4], five[4:]]
    assert first.context["previous_url"] == third.context["next_url"] == ""
    assert "status=booked" in second.context["next_url"]
    again = follow(merchant_client, third, "previous")
    assert numbers_on(again) == five[2:4]
    assert numbers_on(follow(merchant_client, again, "previous")) == five[:2]
    assert numbers_on(follow(merchant_client, again, "next")) == five[4:]


def test_pages_are_stable_while_parcels_are_booked(
    five: list[str], book: Book, merchant_client: Client
) -> None:
    second = follow(merchant_client, merchant_client.get(LIST), "next")
    [new] = book(hours_ago=0)
    assert numbers_on(merchant_client.get(second.wsgi_request.get_full_path())) == five[2:4]
    back = follow(merchant_client, second, "previous")
    assert numbers_on(back) == five[:2]
    # One more parcel is newer than that page: going back again shows the full newest page.
    assert numbers_on(follow(merchant_client, back, "previous")) == [new.number, five[0]]


def test_oldest_page_is_one_link_away(five: list[str], merchant_client: Client) -> None:
    first = merchant_client.get(LIST)
    assert first.context["ends"]["newest"] == ""
    last = merchant_client.get(LIST + first.context["ends"]["oldest"])
    assert numbers_on(last) == five[3:]
    assert last.context["next_url"] == last.context["ends"]["oldest"] == ""
    assert numbers_on(follow(merchant_client, last, "previous")) == five[1:3]
    assert numbers_on(merchant_client.get(LIST + last.context["ends"]["newest"])) == five[:2]
    for page in (first, last):
        assert "“Booked until”" in text_of(page)


@pytest.mark.one_server(EACH_HOME)
@pytest.mark.parametrize("way", ["next", "previous"])
def test_page_examines_a_limited_number_and_shows_where_it_stopped(
    way: str, five: list[str], merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("lists.pages", "portal.parcel_list"):
        monkeypatch.setattr(f"parcels.{module}.LOOKED_AT", 2)
    newest, oldest = parse_tracking_number(five[0]), parse_tracking_number(five[4])
    with scope(Scope.everything()):
        Parcel.objects.filter(pk__in=[newest, oldest]).update(status="lost")
    start = {"status": "lost"}
    if way == "previous":
        start["before"] = sealed(merchant_client, five[4], status="lost")
    page = merchant_client.get(LIST, start)
    assert numbers_on(page) == (five[:1] if way == "next" else [])
    text = text_of(page)
    assert "Searched 2 parcels" in text
    assert ("searches further" in text) == (way == "next")
    assert "Search further" in text or way == "next"
    numbers_found = numbers_on(page)
    for _step in range(3):
        page = follow(merchant_client, page, way)
        numbers_found += [number for number in numbers_on(page) if number not in numbers_found]
        if not page.context[f"{way}_url"]:
            break
    assert set(numbers_found) == ({five[0], five[4]} if way == "next" else {five[0]})
    assert page.context["broken_off"] is None or way == "previous"


@pytest.mark.one_server(EACH_HOME)
def test_api_pages_until_next_is_null(
    five: list[str], merchant_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.lists.pages.LOOKED_AT", 2)
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parse_tracking_number(five[4])).update(status="lost")
    address, pages = "/api/v1/parcels?status=lost", []
    while address:
        answer = merchant_api.get(address).json()
        pages.append([row["tracking_number"] for row in answer["results"]])
        address = answer["next"]
    assert pages == [[], [], [five[4]]]


def sealed(client: Client, number: str, **query: str) -> str:
    """The cursor of a place in the list, as the list itself would make it."""
    cursor: str = client.get(LIST, query).context["sorting"].seal.close(number)
    return cursor


def test_cursors_that_are_not_of_the_list_are_refused(
    five: list[str], merchant_client: Client, courier_client: Client
) -> None:
    own = sealed(merchant_client, five[1])
    assert numbers(merchant_client, after=own) == five[2:4]
    for query in (
        {"before": "x"}, {"after": "CA"}, {"after": five[0]}, {"after": own + "0"},
        # Made for other filters, for another order, and for another organisation.
        {"after": own, "status": "booked"}, {"after": own, "sort": "booked"},
        {"after": sealed(courier_client, five[1])}, {"sort": "deliver_by"},
    ):  # fmt: skip
        page = merchant_client.get(LIST, query)
        assert (page.status_code, numbers_on(page)) == (422, [])
        assert "This link does not fit this list" in page.content.decode()
        assert page.context["newest_url"]


def test_list_begins_with_the_oldest_if_sorted_so(five: list[str], merchant_client: Client) -> None:
    first = merchant_client.get(LIST, {"sort": "booked", "status": "booked"})
    second = follow(merchant_client, first, "next")
    third = follow(merchant_client, second, "next")
    oldest_first = five[::-1]
    assert [numbers_on(page) for page in (first, second, third)] == [
        oldest_first[:2], oldest_first[2:4], oldest_first[4:],
    ]  # fmt: skip
    assert third.context["next_url"] == ""
    assert numbers_on(follow(merchant_client, third, "previous")) == oldest_first[2:4]
    newest = merchant_client.get(LIST + first.context["ends"]["newest"])
    assert numbers_on(newest) == oldest_first[3:]
    assert 'aria-sort="ascending"' in first.content.decode()
    # The header turns the order round, and keeps the filters.
    assert first.context["sorting"].sorted_by.url == "?status=booked"


def test_api_refuses_a_cursor_of_other_filters(five: list[str], merchant_api: APIClient) -> None:
    following = merchant_api.get("/api/v1/parcels?page_size=2").json()["next"]
    assert merchant_api.get(following).status_code == 200
    assert merchant_api.get(f"{following}&page_size=3").status_code == 200
    answer = merchant_api.get(f"{following}&status=booked")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/cursor"]


def test_page_whose_parcels_left_the_list_says_that_it_ends(five: list[str], merchant_client: Client) -> None:
    cursor = sealed(merchant_client, five[-1], status="booked")
    page = merchant_client.get(LIST, {"status": "booked", "after": cursor})
    assert numbers_on(page) == []
    assert "No more results" in page.content.decode()
    assert numbers_on(merchant_client.get(LIST + page.context["newest_url"])) == five[:2]


@pytest.mark.parametrize("way", ["next", "previous"])
def test_api_reads_no_parcel_twice_from_a_list_that_shrinks(
    five: list[str], merchant_api: APIClient, way: str
) -> None:
    answer = merchant_api.get("/api/v1/parcels?status=booked&page_size=2").json()
    if way == "previous":
        answer = merchant_api.get(answer["next"]).json()
    read = {row["tracking_number"] for row in answer["results"]}
    kept = [parse_tracking_number(number) for number in read]
    with scope(Scope.everything()):
        Parcel.objects.exclude(pk__in=kept).update(status="lost")
    shrunk = merchant_api.get(answer[way]).json()
    assert (shrunk["results"], shrunk[way]) == ([], None)


LIST_QUERIES = 18


def test_query_count_is_the_same_for_one_and_three_parcels(
    book: Book, merchant_client: Client, django_assert_num_queries: Any
) -> None:
    book()
    merchant_client.get(LIST)
    for _more in range(2):
        with django_assert_num_queries(LIST_QUERIES):
            page = merchant_client.get(LIST)
        book(count=2)
    assert len(page.context["rows"]) == 3
