"""The list of parcels: who sees what, filters, search, and pages that cost the same however deep."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from alliance.choices import Role
from alliance.identifiers import is_allowed, moment_of, parse_tracking_number
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.filters import ParcelFilter
from parcels.keyset import page_of
from parcels.models import Parcel
from slas.models import ServiceTier
from tests import factories
from tests.parcels.looking import client_of, scan, some_parcels, text_of

pytestmark = pytest.mark.django_db
LIST = "/parcels/"
Book = Callable[..., list[Parcel]]


@pytest.fixture
def book(merchant_organisation: Organisation, courier_organisation: Organisation) -> Book:
    def book(**given: Any) -> list[Parcel]:
        return some_parcels(merchant_organisation, courier_organisation, **given)

    return book


def numbers(client: Client, **query: Any) -> list[str]:
    rows = client.get(LIST, query).context["rows"]
    return [row.parcel.number for row in rows]


def test_the_address_is_what_others_link_to() -> None:
    assert reverse("parcels:parcel_list") == LIST


def test_merchant_and_courier_see_their_parcels_newest_first(
    book: Book, merchant_client: Client, courier_client: Client
) -> None:
    [older], [newer] = book(hours_ago=5), book(hours_ago=1, reference="订单-1")
    assert numbers(merchant_client) == numbers(courier_client) == [newer.number, older.number]
    assert "订单-1" in text_of(merchant_client.get(LIST))


def test_nobody_else_sees_them(book: Book, rival_merchant: Organisation, rival_courier: Organisation) -> None:
    [parcel] = book(reference="secret-1")
    for outsider in (client_of(rival_merchant), client_of(rival_courier)):
        assert numbers(outsider) == []
        assert numbers(outsider, search=parcel.number) == []
        assert numbers(outsider, search="secret") == []


def test_a_stranger_is_asked_to_log_in(client: Client) -> None:
    response = client.get(LIST)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_a_viewer_reads_and_exports_nothing(book: Book, merchant_organisation: Organisation) -> None:
    book()
    page = client_of(merchant_organisation, Role.VIEWER).get(LIST)
    assert page.status_code == 200
    assert "Export" not in text_of(page)


def test_each_side_sees_the_other_by_name(
    book: Book, merchant_client: Client, courier_client: Client
) -> None:
    book()
    assert "Swift Express" in text_of(merchant_client.get(LIST))
    assert "Lotus Tea" in text_of(courier_client.get(LIST))


def test_recipients_are_not_on_the_list(book: Book, merchant_client: Client) -> None:
    book()
    page = text_of(merchant_client.get(LIST))
    assert "欧阳" not in page
    assert "5678" not in page


# --- filters ---------------------------------------------------------------------------------


def test_statuses_are_added_up(book: Book, merchant_client: Client) -> None:
    first, second, third = book(count=3)
    scan(first, "picked_up", 1)
    scan(second, "departed", 1)
    found = numbers(merchant_client, status=["picked_up", "in_transit"])
    assert found == [second.number, first.number]
    assert numbers(merchant_client, status="booked") == [third.number]


def test_filters_by_tier_and_cities(book: Book, merchant_client: Client) -> None:
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


def test_days_are_whole_local_days(book: Book, merchant_client: Client) -> None:
    [parcel] = book(hours_ago=30)
    day = timezone.localtime(parcel.booked_at).date()
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    assert numbers(merchant_client, booked_from=day, booked_to=day) == [parcel.number]
    assert numbers(merchant_client, booked_from=after) == []
    assert numbers(merchant_client, booked_to=before) == []
    assert numbers(merchant_client, booked_from="1990-01-01", booked_to="9999-12-31") == [parcel.number]
    assert numbers(merchant_client, booked_from="9999-12-31") == []
    assert numbers(merchant_client, booked_to="0001-01-01") == []


def test_late_means_overdue_now_or_delivered_late(book: Book, merchant_client: Client) -> None:
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


def test_a_filter_that_cannot_be_read_is_said_and_shows_nothing(book: Book, merchant_client: Client) -> None:
    book()
    for query, said in (
        ({"origin": "Atlantis City"}, "From: We know no city “Atlantis City”"),
        ({"booked_from": "yesterday"}, "Booked from: Enter a valid date."),
        ({"status": "flying"}, "Status: Select a valid choice. flying is not"),
        ({"tier": "rocket"}, "Service: Select a valid choice. rocket is not"),
    ):
        page = merchant_client.get(LIST, query)
        assert said in text_of(page)
        assert page.context["rows"] == []


# --- search ----------------------------------------------------------------------------------


def test_a_number_is_found_in_any_spelling(book: Book, merchant_client: Client) -> None:
    parcel, _other = book(count=2)
    number = parcel.number
    spaced = f" {number[:2].lower()}-{number[2:8].lower()} {number[8:]} "
    for spelling in (number, number.lower(), spaced, number.replace("0", "o").replace("1", "l")):
        assert numbers(merchant_client, search=spelling) == [parcel.number]


def test_a_reference_is_found_by_its_beginning_and_case(book: Book, merchant_client: Client) -> None:
    [upper] = book(reference="PO-2026-é1")
    [lower] = book(reference="po-2026-1", hours_ago=1)
    assert numbers(merchant_client, search="PO-2026") == [upper.number]
    assert numbers(merchant_client, search="PO-2026-é") == [upper.number]
    assert numbers(merchant_client, search="po") == [lower.number]
    assert numbers(merchant_client, search="2026") == []
    assert numbers(merchant_client, search="%") == numbers(merchant_client, search="PO_2026") == []


def test_a_mistyped_number_gets_a_hint(book: Book, merchant_client: Client) -> None:
    [parcel] = book()
    wrong = parcel.number[:8] + ("3" if parcel.number[8] != "3" else "4") + parcel.number[9:]
    page = text_of(merchant_client.get(LIST, {"search": wrong}))
    assert "a character of it is mistyped" in page
    assert "Nothing matches these filters" in page


# --- nothing there ---------------------------------------------------------------------------


def test_nothing_at_all_says_how_to_begin(merchant_client: Client, courier_client: Client) -> None:
    assert "choose a courier and book" in text_of(merchant_client.get(LIST))
    assert "Merchants book you where you have offers" in text_of(courier_client.get(LIST))


def test_nothing_found_offers_to_clear_the_filters(book: Book, merchant_client: Client) -> None:
    book()
    page = text_of(merchant_client.get(LIST, {"status": "lost"}))
    assert "Nothing matches" in page
    assert "Clear filters" in page


# --- pages -----------------------------------------------------------------------------------


@pytest.fixture
def five(book: Book, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Five parcels in pages of two; their numbers, newest first."""
    monkeypatch.setattr("parcels.portal.parcel_list.PAGE_SIZE", 2)
    return [parcel.number for parcel in book(count=5)][::-1]


def follow(client: Client, page: Any, way: str) -> Any:
    return client.get(page.context[f"{way}_url"])


def shown(page: Any) -> list[str]:
    return [row.parcel.number for row in page.context["rows"]]


def test_pages_lead_there_and_back(five: list[str], merchant_client: Client) -> None:
    first = merchant_client.get(LIST, {"status": "booked"})
    second = follow(merchant_client, first, "next")
    third = follow(merchant_client, second, "next")
    assert [shown(first), shown(second), shown(third)] == [five[:2], five[2:4], five[4:]]
    assert first.context["previous_url"] == third.context["next_url"] == ""
    assert "status=booked" in second.context["next_url"]
    again = follow(merchant_client, third, "previous")
    assert shown(again) == five[2:4]
    assert shown(follow(merchant_client, again, "previous")) == five[:2]
    assert shown(follow(merchant_client, again, "next")) == five[4:]


def test_pages_stand_still_while_parcels_are_booked(
    five: list[str], book: Book, merchant_client: Client
) -> None:
    second = follow(merchant_client, merchant_client.get(LIST), "next")
    [new] = book(hours_ago=0)
    assert shown(merchant_client.get(second.wsgi_request.get_full_path())) == five[2:4]
    back = follow(merchant_client, second, "previous")
    assert shown(back) == five[:2]
    # One more is newer than that page: back once more is the newest page, filled up.
    assert shown(follow(merchant_client, back, "previous")) == [new.number, five[0]]


def test_odd_cursors_show_the_newest_page(five: list[str], merchant_client: Client) -> None:
    for query in ({"before": "x"}, {"after": "CA"}, {"before": five[-1]}, {"after": five[0]}):
        assert numbers(merchant_client, **query) == five[:2]


@contextmanager
def counted() -> Iterator[CaptureQueriesContext]:
    with CaptureQueriesContext(connection) as queries:
        yield queries


LIST_QUERIES = 19


def test_the_list_costs_the_same_for_one_and_three(book: Book, merchant_client: Client) -> None:
    book()
    merchant_client.get(LIST)
    for _more in range(2):
        with counted() as queries:
            page = merchant_client.get(LIST)
        assert len(queries) == LIST_QUERIES, [query["sql"][:120] for query in queries]
        book(count=2)
    assert len(page.context["rows"]) == 3


# --- what the database does ------------------------------------------------------------------


def plan_of(actor: Actor, query: dict[str, str], **cursor: str) -> str:
    """The plan of the query that picks a page, made in the actor's own scope, as the page itself is."""
    found = ParcelFilter(query, queryset=Parcel.objects.visible_to(actor)).qs
    with scope(Scope.of(actor)):
        with CaptureQueriesContext(connection) as queries:
            page_of(found, size=2, **cursor)
        [[plan]] = raw_rows("EXPLAIN (FORMAT JSON) " + queries[0]["sql"].replace("%", "%%"))
    return json.dumps(plan)


# The same ten parcels over and over, a millisecond earlier each time; one in thirteen is for the two.
CROWD = """
    INSERT INTO parcels_parcel (id, merchant_id, courier_id, {columns})
    SELECT id - g * (1::bigint << 22),
        CASE g %% 13 WHEN 0 THEN merchant_id ELSE (%s::bigint[])[1 + g %% 5] END,
        CASE g %% 13 WHEN 0 THEN courier_id ELSE %s END, {columns}
    FROM parcels_parcel CROSS JOIN generate_series(1, 1300) AS g
"""


@pytest.fixture
def crowd(
    merchant_organisation: Organisation, courier_organisation: Organisation, rival_courier: Organisation
) -> str:
    """A thousand parcels among a dozen times as many of others, as the planner has to know; one amidst."""
    some_parcels(merchant_organisation, courier_organisation, count=10, reference="A-1")
    others = [factories.merchant_organisation(f"Merchant {number}").pk for number in range(5)]
    own = {"id", "merchant_id", "courier_id"}
    columns = ", ".join(f.column for f in Parcel._meta.concrete_fields if f.column not in own)
    with scope(Scope.everything()), connection.cursor() as cursor:
        cursor.execute(CROWD.format(columns=columns), [others, rival_courier.pk])
        mine = Parcel.objects.filter(merchant_id=merchant_organisation.pk)
        # One id in eight has no number.
        mine.filter(pk__in=[pk for pk in mine.values_list("pk", flat=True) if not is_allowed(pk)]).delete()
        cursor.execute("ANALYZE parcels_parcel")
        return mine.order_by("-pk")[500].number


def test_a_page_walks_the_index_of_the_merchant_however_deep(crowd: str, merchant: Actor) -> None:
    for cursor in ({}, {"before": crowd}, {"after": crowd}):
        plan = plan_of(merchant, {}, **cursor)
        assert "merchant_id_id_idx" in plan
        assert "Sort" not in plan


def test_a_courier_walks_its_own_index(crowd: str, courier: Actor) -> None:
    plan = plan_of(courier, {})
    assert "courier_id_id_idx" in plan
    assert "Sort" not in plan


def test_filters_join_nothing_to_the_walk(crowd: str, merchant: Actor) -> None:
    for query in ({"late": "true"}, {"status": "delivered"}, {"tier": "next_day"}, {"destination": "CN-CTU"}):
        plan = plan_of(merchant, query)
        assert "merchant_id_id_idx" in plan
        assert "Join Type" not in plan


def test_a_reference_is_found_by_an_index_under_row_level_security(crowd: str, merchant: Actor) -> None:
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parse_tracking_number(crowd)).update(reference="ZZ-9")
    plan = plan_of(merchant, {"search": "ZZ-"})
    assert "reference >= 'ZZ-'" in plan.replace("(reference)::text", "reference")
    assert "Seq Scan on" not in plan
    assert "_idx" in plan


def test_days_leave_other_months_alone(crowd: str, merchant: Actor) -> None:
    day = timezone.localtime(moment_of(parse_tracking_number(crowd))).date().isoformat()
    plan = plan_of(merchant, {"booked_from": day, "booked_to": day})
    assert len(set(re.findall(r"parcels_parcel_y\d{4}m\d\d\b", plan))) <= 2
