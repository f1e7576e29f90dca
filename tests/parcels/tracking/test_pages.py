"""The public tracking page and API: no log-in, every status, no personal data, rate limit."""

import re
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from alliance.api import throttling
from alliance.database.cluster import is_distributed
from alliance.dates import date_text
from alliance.identifiers import parse_tracking_number
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, raw_rows, rows_in, scope
from alliance.web.http import client_address
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.choices import ParcelStatus
from parcels.models import Parcel, Scan
from parcels.tracking.sql import TRACKED_PARCEL
from parcels.tracking.steps import progress
from tests.parcels.helpers.parcel_views import RECIPIENT, client_of, scan, some_parcels, text_of

pytestmark = pytest.mark.django_db
Book = Callable[..., Parcel]
UNKNOWN = "CA180G9J93M00R1W"
MISTYPED = "CA180G9J93M00R1X"
# The scans that lead to each status, by hours after booking.
WAYS: dict[str, list[tuple[str, float, dict[str, Any]]]] = {
    ParcelStatus.BOOKED: [],
    ParcelStatus.PICKED_UP: [("picked_up", 1, {})],
    ParcelStatus.IN_TRANSIT: [("departed", 2, {})],
    # Of today, also just after midnight: a round ends with its day.
    ParcelStatus.OUT_FOR_DELIVERY: [("out_for_delivery", 19.999, {})],
    ParcelStatus.ATTEMPT_FAILED: [("attempt_failed", 4, {"reason": "courier_vehicle"})],
    ParcelStatus.AVAILABLE_FOR_PICKUP: [("available_for_pickup", 4, {"consent": True})],
    ParcelStatus.DELIVERED: [("delivered", 5, {})],
    ParcelStatus.EXCEPTION: [("picked_up", 1, {}), ("damaged", 2, {})],
    ParcelStatus.RETURNING: [("return_started", 6, {})],
    ParcelStatus.RETURNED: [("returned", 7, {})],
    ParcelStatus.LOST: [("lost", 8, {})],
    ParcelStatus.CANCELLED: [],
}

# Where the page says more than the status.
TITLES = {ParcelStatus.ATTEMPT_FAILED: "Not delivered yet", ParcelStatus.EXCEPTION: "Damaged"}


@pytest.fixture
def book(merchant_organisation: Organisation, courier_organisation: Organisation) -> Book:
    def book(**values: Any) -> Parcel:
        [parcel] = some_parcels(merchant_organisation, courier_organisation, **values)
        return parcel

    return book


@pytest.fixture
def come_to(book: Book, merchant: Actor) -> Callable[[str], Parcel]:
    """Record the scans that lead to a status."""

    def come_to(status: str) -> Parcel:
        parcel = book(hours_ago=20)
        for code, hours, more in WAYS[status]:
            scan(parcel, code, hours, **more)
        if status == ParcelStatus.CANCELLED:
            with scope(Scope.of(merchant)):
                cancel_parcel(actor=merchant, parcel_id=parcel.pk, at=parcel.booked_at + timedelta(hours=1))
        return parcel

    return come_to


@pytest.mark.parametrize("status", WAYS)
def test_page_is_filled_as_django_renders_it(status: str, come_to: Callable[[str], Parcel]) -> None:
    """Readers without a session get it from a stencil, others from the template itself."""
    path = f"/track/{come_to(status).number}/"
    for language in ("en", "zh-hans"):
        readers = [Client(headers={"accept-language": language}) for _reader in range(2)]
        readers[1].cookies["sessionid"] = "long-forgotten"
        filled, rendered = (reader.get(path).content.decode() for reader in readers)
        assert filled == re.sub(r" hx-headers='[^']*'", "", rendered)


def page_of(client: Client, parcel: Parcel) -> str:
    return text_of(client.get(f"/track/{parcel.number}/"))


def api_of(client: Client, parcel: Parcel) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/api/v1/tracking/{parcel.number}").json()
    return answer


# --- every status ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ParcelStatus.values)
def test_every_status_has_name_and_explanation(
    status: str, come_to: Callable[[str], Parcel], client: Client
) -> None:
    parcel = come_to(status)
    response = client.get(f"/track/{parcel.number}/")
    label = TITLES.get(status, str(ParcelStatus(status).label))
    assert re.search(rf'<h1[^>]*id="status">{label}\s*</h1>', response.content.decode())
    answer = api_of(client, parcel)
    assert (answer["status"], answer["status_text"]) == (status, label)
    text = text_of(response)
    for told in (answer["explanation"], answer["next_step"], answer["ask"], *answer["to_do"]):
        assert told
        assert told in text
    assert set(answer["equivalents"]) == {"aftership", "easypost", "kuaidi100"}


def drawn(status: str, *codes: str) -> list[tuple[str, str]]:
    scans: Any = [
        SimpleNamespace(event_key=at, code=code, consent=False, corrects=None)
        for at, code in enumerate(codes)
    ]
    return [(str(step["label"]), step["state"]) for step in progress(status, scans)]


def test_steps_show_the_progress() -> None:
    assert [state for _label, state in drawn("booked")] == ["current", "todo", "todo", "todo", "todo"]
    assert [state for _label, state in drawn("in_transit")] == ["done", "done", "current", "todo", "todo"]
    assert [state for _label, state in drawn("delivered")] == ["done"] * 5
    assert drawn("attempt_failed")[3] == ("Delivery attempt failed", "error")
    assert drawn("available_for_pickup")[3] == ("Ready for collection", "current")
    assert drawn("exception", "picked_up", "damaged")[1] == ("Exception", "error")
    assert drawn("returned", "out_for_delivery", "returned")[3:] == [
        ("Out for delivery", "done"),
        ("Returned to sender", "error"),
    ]
    assert drawn("lost", "picked_up") == [("Booked", "done"), ("Picked up", "done"), ("Lost", "error")]
    assert drawn("cancelled") == [("Booked", "done"), ("Cancelled", "error")]


# --- the promise -----------------------------------------------------------------------------


def test_parcel_past_its_promise_is_late_at_once(book: Book, client: Client) -> None:
    parcel = book(hours_ago=32)
    scan(parcel, "picked_up", 1)
    assert "It is 2 h overdue." in page_of(client, parcel)
    promise = api_of(client, parcel)["promise"]
    assert (promise["outcome"], promise["is_late"]) == ("overdue", True)
    assert promise["late_by_seconds"] >= 2 * 3600


def test_late_delivery_stays_late(book: Book, client: Client) -> None:
    parcel = book(hours_ago=50)
    scan(parcel, "delivered", 33)
    assert "Delivered late: 3 h after the promised time." in page_of(client, parcel)
    assert api_of(client, parcel)["promise"]["late_by_seconds"] == 3 * 3600


def test_kept_promise_is_shown(book: Book, client: Client) -> None:
    delivered, refused = book(hours_ago=50), book(hours_ago=49)
    scan(delivered, "delivered", 20)
    scan(refused, "attempt_failed", 20, reason="consignee_refused")
    assert "The promise was kept." in page_of(client, delivered)
    assert "Delivery was attempted on time." in page_of(client, refused)


def test_lost_parcel_did_not_keep_its_promise(book: Book, client: Client) -> None:
    parcel = book(hours_ago=80)
    scan(parcel, "lost", 60)
    assert "The promise was not kept." in page_of(client, parcel)


def test_open_promise_is_not_shown_as_late(book: Book, client: Client) -> None:
    parcel = book(hours_ago=2)
    page = page_of(client, parcel)
    assert "Promised by" in page
    assert "late" not in page.lower().replace("later", "")
    assert api_of(client, parcel)["promise"]["late_by_seconds"] is None


def test_times_are_in_the_citys_time_zone(book: Book, client: Client) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "arrived", 10, facility="KTM-1")
    with scope(Scope.everything()):
        City.objects.filter(pk=parcel.destination_id).update(time_zone="Asia/Kathmandu")
    there = parcel.booked_at + timedelta(hours=10, minutes=345)
    page = page_of(client, parcel)
    assert "Chengdu time, UTC+5:45" in page
    assert f"Arrived {date_text(there, 'DATETIME_FORMAT')}" in page
    assert f"{(parcel.deliver_by + timedelta(minutes=345)):%H:%M} Chengdu time" in page
    answer = api_of(client, parcel)
    assert answer["events"][0]["occurred_at"].endswith("+05:45")
    assert answer["promise"]["current"].endswith("+05:45")


def test_withdrawn_scan_is_struck_out_and_correction_hidden(book: Book, client: Client) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "delivered", 10, event_id="e1")
    scan(parcel, "correction", 11, corrects="e1")
    assert "<del>Delivered</del>" in client.get(f"/track/{parcel.number}/").content.decode()
    assert [(item["code"], item["withdrawn"]) for item in api_of(client, parcel)["events"]] == [
        ("delivered", True)
    ]


# --- no personal data ------------------------------------------------------------------------


def test_page_and_api_have_no_personal_data(book: Book, client: Client) -> None:
    parcel = book(reference="secret-reference")
    private = ["secret-reference", "Lotus Tea", "12.50", "欧", "1234", "人民南路", *RECIPIENT.values()]
    for door in (f"/track/{parcel.number}/", f"/api/v1/tracking/{parcel.number}"):
        content = client.get(door).content.decode()
        assert "Swift Express" in content
        assert not [text for text in private if text in content]


def test_scope_contains_one_parcel(book: Book, client: Client) -> None:
    parcel = book()
    with CaptureQueriesContext(connection) as queries:
        client.get(f"/track/{parcel.number}/")
    scopes = [query["sql"] for query in queries if "SET LOCAL" in query["sql"]]
    own = f"SET LOCAL alliance.scope = 'parcel:{parcel.pk}'"
    assert any(sql.startswith(own) for sql in scopes)
    assert not [sql for sql in scopes if "'all'" in sql or "merchant:" in sql]
    assert "recipient" not in " ".join(query["sql"] for query in queries)


def test_members_see_the_same_public_page(book: Book, rival_merchant: Organisation, client: Client) -> None:
    parcel = book(reference="secret-reference")
    page = page_of(client_of(rival_merchant), parcel)
    assert "Swift Express" in page
    assert "secret-reference" not in page


@pytest.mark.parametrize("door", ["/track/{}/", "/api/v1/tracking/{}"])
def test_page_and_api_are_not_cached(door: str, book: Book, client: Client) -> None:
    response = client.get(door.format(book().number))
    assert "private" in response["Cache-Control"]
    assert "no-cache" in response["Cache-Control"]


def test_title_and_preview_answer_the_question(book: Book, client: Client) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "attempt_failed", 19, reason="consignee_absent")
    html = client.get(f"/track/{parcel.number}/").content.decode()
    [title] = re.findall(r"<title>(.*?)</title>", html, re.DOTALL)
    assert re.match(r"Delivery attempt failed: Expected (today|tomorrow), .* · CA", title)
    assert re.search(
        r'property="og:title" content="Delivery attempt failed: Expected (today|tomorrow), ', html
    )
    assert re.search(r'property="og:description" content="Swift Express tried to deliver on ', html)


def test_reasons_in_peoples_own_words_are_not_public(book: Book, client: Client) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "attempt_failed", 19, reason="consignee_absent")
    with scope(Scope.everything()):
        Scan.objects.filter(parcel_id=parcel.pk).update(reason="ask Ms Li, 138 1234 5678")
    for door in (f"/track/{parcel.number}/", f"/api/v1/tracking/{parcel.number}"):
        assert "Ms Li" not in client.get(door).content.decode()


def test_page_is_not_indexed_by_search_engines(book: Book, client: Client) -> None:
    response = client.get(f"/track/{book().number}/")
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex, nofollow">' in response.content.decode()


# Inside a test's transaction a scope needs four more queries: savepoint, set, reset, release.
TRACKING_QUERIES = 5


def test_query_count_is_the_same_for_one_and_three_scans(book: Book, client: Client) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "picked_up", 1)
    for hours in (2, 3):
        # What forecasts are made from is read by whoever comes first.
        client.get(f"/track/{parcel.number}/")
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/track/{parcel.number}/")
        assert len(queries) == TRACKING_QUERIES
        scan(parcel, "departed", hours)
        scan(parcel, "arrived", hours + 0.5)


@pytest.mark.django_db(transaction=True)
def test_api_needs_one_round_trip_to_the_database(book: Book, client: Client) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "picked_up", 1)
    for number in (parcel.number, UNKNOWN):
        # What forecasts are made from is read by whoever comes first.
        client.get(f"/api/v1/tracking/{number}")
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/api/v1/tracking/{number}")
        [query] = queries
        pk = parse_tracking_number(number)
        statement = f"SELECT {TRACKED_PARCEL.name}({pk})"
        # On a cluster the scope is opened where the parcel is.
        opened = "" if is_distributed() else f"SET LOCAL alliance.scope = 'parcel:{pk}'; "
        assert query["sql"].endswith(f"{opened}{statement}")
    # The scope ended with the query.
    assert raw_rows("SELECT count(*) FROM parcels_parcel") == [(0,)]


def test_stored_function_obeys_row_level_security(
    book: Book, merchant_organisation: Organisation, rival_merchant: Organisation
) -> None:
    parcel, other = book(), book()
    for to, is_visible in (
        (Scope.parcel(parcel.pk), True),
        (Scope.merchant(merchant_organisation.pk), True),
        (Scope.parcel(other.pk), False),
        (Scope.merchant(rival_merchant.pk), False),
        # On a cluster it opens the parcel's scope itself, but never in place of another.
        (Scope.nothing(), is_distributed()),
    ):
        [(parcel_text,)] = rows_in(to, TRACKED_PARCEL.call, {"home": parcel.pk})
        assert (parcel_text is not None) == is_visible


def test_api_ignores_credentials(book: Book, merchant_api: APIClient, client: Client) -> None:
    number = book().number
    assert (
        merchant_api.get(f"/api/v1/tracking/{number}").json()
        == client.get(f"/api/v1/tracking/{number}").json()
    )


def test_api_answers_only_json(book: Book, client: Client) -> None:
    door = f"/api/v1/tracking/{book().number}"
    plain = client.get(door).json()
    for accept in ("application/json", "text/html,*/*;q=0.8", "application/*"):
        assert client.get(door, headers={"accept": accept}).json() == plain
    assert client.get(door, headers={"accept": "text/html"}).status_code == 406
    assert client.post(door).status_code == 405
    assert client.options(door).status_code == 200


# --- search ----------------------------------------------------------------------------------


def test_search_redirects_to_the_page_in_any_spelling(book: Book, client: Client) -> None:
    number = book().number
    for spelling in (number, number.lower(), f" {number[:4]}-{number[4:10]} {number[10:]} "):
        response = client.get("/track/", {"number": spelling})
        assert (response.status_code, response["Location"]) == (302, f"/track/{number}/")
    response = client.get(f"/track/{number.lower()}/")
    assert (response.status_code, response["Location"]) == (302, f"/track/{number}/")


@pytest.mark.parametrize(
    "pasted",
    [
        "“{}”", "{}.", "({})", "Your parcel {} is on its way", "https://alliance.example/track/{}/",
        "http://alliance.example/track/{}?from=mail#content", "运单号：{}。", "\u200b{}\u200b", "＃{}",
    ],
)  # fmt: skip
def test_pasted_numbers_are_found(pasted: str, book: Book, client: Client) -> None:
    number = book().number
    for spelling in (number, number.lower(), " ".join((number[:4], number[4:10], number[10:]))):
        response = client.get("/track/", {"number": pasted.format(spelling)})
        assert (response.status_code, response["Location"]) == (302, f"/track/{number}/")


def test_a_number_is_found_without_its_prefix_and_pasted_twice(book: Book, client: Client) -> None:
    number = book().number
    for spelling in (number[2:], number[2:].lower(), number * 2):
        response = client.get("/track/", {"number": spelling})
        assert (response.status_code, response["Location"]) == (302, f"/track/{number}/")
    # Fourteen letters and digits that are no number.
    assert "it may be an order number" in text_of(client.get("/track/", {"number": "SO202611301187"}))


@pytest.mark.parametrize("order", ["SO-2026-1187", "20261130123456", "王小明", "TB1234567890123456"])
def test_an_order_number_gets_a_hint(order: str, client: Client) -> None:
    response = client.get("/track/", {"number": order})
    assert response.status_code == 422
    assert "it may be an order number" in text_of(response)


def test_search_without_a_number_shows_the_form(client: Client) -> None:
    response = client.get("/track/")
    assert response.status_code == 200
    assert "Where is my parcel?" in text_of(response)


def test_mistyped_number_is_distinguished_from_unknown_number(client: Client) -> None:
    mistyped = client.get("/track/", {"number": MISTYPED})
    assert mistyped.status_code == 422
    assert "One character of this number is mistyped." in text_of(mistyped)
    assert MISTYPED in mistyped.content.decode()
    assert client.get(f"/track/{MISTYPED}/").status_code == 404
    unknown = client.get(f"/track/{UNKNOWN}/")
    assert unknown.status_code == 404
    assert "We can't find this number." in text_of(unknown)
    short = client.get("/track/", {"number": "CA123"})
    assert "has 16 letters and digits, not 5" in text_of(short)


def test_api_distinguishes_errors_by_type(client: Client) -> None:
    for number, reason in ((MISTYPED, "bad_tracking_number"), (UNKNOWN, "unknown_tracking_number")):
        response = client.get(f"/api/v1/tracking/{number}")
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["type"] == f"urn:alliance:problem:{reason}"


def test_markup_in_a_number_is_escaped(client: Client) -> None:
    response = client.get("/track/", {"number": '"><script>alert(1)</script>'})
    assert "<script>alert" not in response.content.decode()


# --- rate limit ------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_one_minute")
def test_page_and_api_share_the_rate_limit_of_an_address(book: Book, client: Client, settings: Any) -> None:
    settings.TRACKING_RATE_PER_MINUTE = 2
    number = book().number
    cache.clear()
    throttling.forget()
    assert client.get(f"/track/{number}/").status_code == 200
    assert client.get(f"/api/v1/tracking/{number}").status_code == 200
    page, twin = client.get(f"/track/{number}/"), client.get(f"/api/v1/tracking/{number}")
    for response in (page, twin):
        assert response.status_code == 429
        assert 40 <= int(response["Retry-After"]) <= 46
    assert "Too many requests." in text_of(page)
    assert twin.json()["type"] == "urn:alliance:problem:too_many_requests"
    assert client.get(f"/track/{number}/", REMOTE_ADDR="203.0.113.9").status_code == 200


@pytest.mark.usefixtures("in_one_minute")
def test_unknown_numbers_count_towards_the_rate_limit(client: Client, settings: Any) -> None:
    settings.TRACKING_RATE_PER_MINUTE = 1
    cache.clear()
    throttling.forget()
    assert client.get(f"/track/{UNKNOWN}/").status_code == 404
    assert client.get(f"/track/{MISTYPED}/").status_code == 429


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "expected"),
    [
        ("203.0.113.9", "", 0, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", 0, "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", 1, "203.0.113.9"),
        ("10.0.0.1", "", 1, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", 2, "203.0.113.9"),
        # Past one of the two proxies: what it says is the client's own.
        ("10.0.0.1", "198.51.100.1", 2, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, unknown", 1, "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", 0, "2001:db8:1:2::"),
        ("::ffff:203.0.113.9", "", 0, "203.0.113.9"),
        ("", "", 0, ""),
    ],
)
def test_rate_limit_uses_the_clients_address(
    remote: str, forwarded: str, proxies: int, expected: str, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=remote, **headers)) == expected


@pytest.mark.parametrize("typed", ["Courier Zhou 13900015101", "Li Wei", "周师傅"])
def test_what_couriers_type_as_a_place_is_not_public(typed: str, book: Book, client: Client) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "arrived", 10, facility=f"Chengdu {typed}")
    scan(parcel, "departed", 11, facility="CTU-03")
    page = page_of(client, parcel)
    assert typed not in page
    assert "CTU-03" in page
    assert [event["facility"] for event in api_of(client, parcel)["events"]] == ["CTU-03", "Chengdu"]
