"""A parcel says the same of itself at every door, in every state."""

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.dates import date_text
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.choices import ScanReason
from parcels.models import Parcel
from parcels.revisions.services import revise_for_recipient, revise_parcel
from parcels.scans.lost_parcels import trace_lost_parcels
from parcels.tracking.reasons import CLAUSES
from slas.choices import RevisionParty
from slas.commitments.services.sweeping import sweep_overdue
from slas.revisions.services import RevisionRequest
from tests import factories
from tests.parcels.helpers.parcel_views import scan, some_parcels, text_of
from tests.parcels.helpers.revisions import DIGITS, day
from tests.parcels.helpers.watch_list import refresh

pytestmark = pytest.mark.django_db
STATED = ("status", "status_text", "status_at", "next_step", "promise", "lost", "expected")
Come = Callable[[str], Parcel]

# Hours since booking (a delivery is due after 30), and the scans with their hours and fields.
STATES: dict[str, tuple[float, list[tuple[str, float, dict[str, Any]]]]] = {
    "booked": (2, []),
    "booked_overdue": (60, []),
    "picked_up": (20, [("picked_up", 1, {})]),
    "in_transit": (20, [("picked_up", 1, {}), ("departed", 2, {})]),
    "silent": (29, [("picked_up", 1, {}), ("departed", 2, {})]),
    "overdue": (34, [("picked_up", 1, {}), ("departed", 20, {})]),
    "out_for_delivery": (20, [("out_for_delivery", 19, {})]),
    "absent": (20, [("attempt_failed", 19, {"reason": "consignee_absent"})]),
    "refused": (20, [("attempt_failed", 19, {"reason": "consignee_refused"})]),
    "vehicle": (20, [("attempt_failed", 19, {"reason": "courier_vehicle"})]),
    "typhoon": (20, [("attempt_failed", 19, {"reason": "weather_typhoon"})]),
    "collection": (20, [("available_for_pickup", 19, {"consent": True, "facility": "Chengdu locker 3"})]),
    "locker": (20, [("available_for_pickup", 19, {})]),
    "delivered": (40, [("delivered", 19, {})]),
    "delivered_late": (40, [("delivered", 36, {})]),
    "damaged": (20, [("picked_up", 1, {}), ("damaged", 19, {})]),
    "customs": (20, [("picked_up", 1, {}), ("held", 19, {"reason": "customs_inspection"})]),
    "returning": (40, [("return_started", 19, {})]),
    "returned": (40, [("return_started", 19, {}), ("returned", 36, {})]),
    "lost": (60, [("lost", 40, {})]),
    "presumed_lost": (240, [("picked_up", 1, {}), ("departed", 2, {})]),
    "cancelled": (20, []),
    "moved_by_merchant": (20, [("picked_up", 1, {})]),
    "moved_by_recipient": (20, [("picked_up", 1, {})]),
    "moved_too_late": (34, [("picked_up", 1, {}), ("departed", 20, {})]),
    "moved_after_attempt": (20, [("attempt_failed", 19, {"reason": "consignee_absent"})]),
}


@pytest.fixture
def come_to(merchant_organisation: Organisation, courier_organisation: Organisation, merchant: Actor) -> Come:
    def come_to(state: str) -> Parcel:
        hours, scans = STATES[state]
        [parcel] = some_parcels(merchant_organisation, courier_organisation, hours_ago=hours)
        for code, at, fields in scans:
            scan(parcel, code, at, **fields)
        now = timezone.now()
        with scope(Scope.everything()):
            sweep_overdue(now=now)
        if state == "presumed_lost":
            trace_lost_parcels(now=now)
        if state == "cancelled":
            with scope(Scope.of(merchant)):
                cancel_parcel(actor=merchant, parcel_id=parcel.pk, at=now)
        if state in ("moved_by_recipient", "moved_after_attempt"):
            asked = RevisionRequest(day(parcel), RevisionParty.RECIPIENT)
            revise_for_recipient(parcel_id=parcel.pk, digits=DIGITS, address="", asked=asked, now=now)
        if state in ("moved_by_merchant", "moved_too_late"):
            asked = RevisionRequest(day(parcel), RevisionParty.MERCHANT, "Sold out")
            with scope(Scope.of(merchant)):
                revise_parcel(actor=merchant, parcel_id=parcel.pk, asked=asked, now=now)
        return parcel

    return come_to


def stated(answer: dict[str, Any]) -> dict[str, Any]:
    """The state in an answer, without what grows while the test runs."""
    state = {name: answer[name] for name in STATED}
    if state["promise"]:
        # Of the pickup, only the parties are told.
        told = state["promise"].items()
        state["promise"] = {name: value for name, value in told if not name.startswith("pickup_")}
    if state["promise"] and state["promise"]["late_by_seconds"]:
        state["promise"] = {**state["promise"], "late_by_seconds": "some"}
    if state["expected"]:
        state["expected"] = {**state["expected"], "chance_late": "some"}
    return state


def test_every_door_says_the_same(
    come_to: Come, client: Client, merchant_api: APIClient, courier_api: APIClient,
    merchant_client: Client, courier_client: Client, ops_client: Client,
) -> None:  # fmt: skip
    parcels = {state: come_to(state) for state in STATES}
    refresh()
    public = {
        parcel.number: client.get(f"/api/v1/tracking/{parcel.number}").json() for parcel in parcels.values()
    }
    expected = {number: stated(answer) for number, answer in public.items()}
    for api in (merchant_api, courier_api):
        listed = api.get("/api/v1/parcels").json()["results"]
        details = [api.get(f"/api/v1/parcels/{number}").json() for number in public]
        for answers in (listed, details):
            assert {answer["tracking_number"]: stated(answer) for answer in answers} == expected
        watched = api.get("/api/v1/watch?chance_late=0").json()["results"]
        assert watched
        for answer in (*listed, *details, *watched):
            assert stated(answer) == expected[answer["tracking_number"]]
    for reader in (merchant_client, courier_client):
        rows = reader.get("/parcels/").content.decode().split("<tr>")
        lines = {line["tracking_number"]: line for line in csv_of(reader)}
        for number, answer in public.items():
            promise, title = answer["promise"] or {}, answer["status_text"]
            [row] = [row for row in rows if number in row]
            assert title in row
            due = promise.get("current")
            assert (date_text(datetime.fromisoformat(due), "DATETIME_FORMAT") if due else "–") in row
            told = {f"promise_{name}": promise.get(name) or "" for name in ("original", "current")}
            told["moved_by"] = promise.get("moved_by") or ""
            told["lost_at"] = (answer["lost"] or {}).get("lost_at", "")
            assert {name: lines[number][name] for name in told} == told
            page = text_of(reader.get(f"/parcels/{number}/"))
            assert title in page
            assert answer["next_step"] in page
    rows = ops_client.get("/admin/parcels/parcel/").content.decode().split("<tr")
    for parcel in parcels.values():
        answer = public[parcel.number]
        assert any(parcel.number in row and answer["status_text"] in row for row in rows)
        assert answer["next_step"] in text_of(ops_client.get(f"/admin/parcels/parcel/{parcel.pk}/change/"))
        assert answer["status_text"] in text_of(client.get(f"/track/{parcel.number}/"))


def csv_of(client: Client) -> list[dict[str, str]]:
    response: Any = client.get("/parcels/export/")
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


@pytest.mark.parametrize(
    ("state", "outcome", "moved_by", "is_late"),
    [
        ("moved_by_merchant", "pending", "merchant", False),
        ("moved_by_recipient", "pending", "recipient", False),
        ("moved_too_late", "overdue", "merchant", True),
        ("moved_after_attempt", "met", "recipient", False),
    ],
)
def test_a_courier_learns_the_new_day(
    state: str, outcome: str, moved_by: str, is_late: bool, come_to: Come, courier_api: APIClient
) -> None:
    parcel = come_to(state)
    answer = courier_api.get(f"/api/v1/parcels/{parcel.number}").json()
    promise = answer["promise"]
    assert promise["current"].startswith(day(parcel).isoformat())
    assert promise["original"].startswith(day(parcel, 0).isoformat())
    assert (promise["outcome"], promise["moved_by"], promise["is_late"]) == (outcome, moved_by, is_late)


@pytest.mark.parametrize("state", ["lost", "presumed_lost", "returned"])
def test_a_parcel_that_will_not_come_is_not_overdue_for_ever(
    state: str, come_to: Come, courier_api: APIClient, merchant_api: APIClient, merchant_client: Client
) -> None:
    parcel = come_to(state)
    answer = merchant_api.get(f"/api/v1/parcels/{parcel.number}").json()
    assert (answer["lost"] is not None) == (state != "returned")
    assert (answer["promise"]["is_late"], answer["promise"]["late_by_seconds"]) == (True, None)
    assert answer["expected"] is None
    for api in (courier_api, merchant_api):
        assert api.get("/api/v1/parcels", {"late": "overdue"}).json()["results"] == []
        assert len(api.get("/api/v1/parcels", {"late": "true"}).json()["results"]) == 1
    assert "overdue" not in text_of(merchant_client.get("/parcels/")).replace("Overdue now", "")


def test_what_will_not_come_is_not_among_the_overdue_of_dashboards(
    come_to: Come, merchant: Actor, merchant_client: Client
) -> None:
    from slas.rates.queries import overdue_by_courier, summary_for  # noqa: PLC0415 -- read in one scope
    from slas.rates.services.folding import fold_tallies  # noqa: PLC0415

    overdue = come_to("overdue")
    come_to("presumed_lost")
    returned = come_to("returned")
    with scope(Scope.everything()):
        fold_tallies()
    with scope(Scope.of(merchant)):
        assert summary_for(actor=merchant, today=timezone.localdate()).overdue_now == 1
        assert overdue_by_courier(actor=merchant) == {overdue.courier_id: 1}
    # The list that the figure leads to.
    missing = text_of(merchant_client.get("/breaches/?state=missing&kind=delivery"))
    assert overdue.number in missing
    assert returned.number not in missing


# --- forecasts -------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["damaged", "customs", "refused", "typhoon", "locker", "presumed_lost"])
def test_trouble_ends_the_forecast(state: str, come_to: Come, client: Client) -> None:
    answer = client.get(f"/api/v1/tracking/{come_to(state).number}").json()
    assert answer["expected"] is None


@pytest.mark.parametrize("state", ["absent", "vehicle"])
def test_after_an_attempt_the_next_delivery_day_is_expected(
    state: str, come_to: Come, client: Client
) -> None:
    parcel = come_to(state)
    expected = client.get(f"/api/v1/tracking/{parcel.number}").json()["expected"]
    assert (expected["basis"], expected["precision"]) == ("next_attempt", "day")
    attempted = timezone.localtime(parcel.booked_at + timedelta(hours=19)).date()
    assert expected["p50_at"][:10] > attempted.isoformat()
    page = text_of(client.get(f"/track/{parcel.number}/"))
    assert "The next attempt is expected" in page
    assert "Change delivery day" in page


# --- who may see what ------------------------------------------------------------------------


def test_prices_are_left_out_for_readers_without_the_capability(
    come_to: Come, merchant: Actor, merchant_api: APIClient
) -> None:
    parcel = come_to("booked")
    doors = (f"/api/v1/parcels/{parcel.number}", "/api/v1/parcels")
    for scopes, sees in (({"parcels:read"}, False), ({"parcels:read", "finance:read"}, True)):
        api = factories.api_client(merchant, scopes)
        for door in doors:
            answer = api.get(door).json()
            [item] = answer.get("results", [answer])
            assert ("price" in item, "currency" in item) == (sees, sees)
    assert merchant_api.get(doors[0]).json()["price"] == "12.50"


# --- a page of parcels -----------------------------------------------------------------------


def test_a_page_of_states_needs_as_many_queries_as_one(
    come_to: Come, merchant_api: APIClient, django_assert_max_num_queries: Any
) -> None:
    for state in ("absent", "damaged", "moved_by_merchant", "in_transit"):
        come_to(state)
    merchant_api.get("/api/v1/parcels")
    with CaptureQueriesContext(connection) as queries:
        merchant_api.get("/api/v1/parcels")
        few = len(queries)
    for state in ("absent", "vehicle", "damaged", "moved_by_merchant", "in_transit", "overdue"):
        come_to(state)
    merchant_api.get("/api/v1/parcels")
    with django_assert_max_num_queries(few):
        merchant_api.get("/api/v1/parcels")


# --- the recipient's page --------------------------------------------------------------------


def test_only_the_recipients_reasons_say_that_the_courier_tried(
    merchant_organisation: Organisation, courier_organisation: Organisation, client: Client
) -> None:
    cases = [(code, reason) for code in ("attempt_failed", "held") for reason in ScanReason]
    parcels = some_parcels(merchant_organisation, courier_organisation, hours_ago=20, count=len(cases))
    for parcel, (code, reason) in zip(parcels, cases, strict=True):
        scan(parcel, code, 19, reason=reason)
        page = text_of(client.get(f"/track/{parcel.number}/"))
        was_there = code == "attempt_failed" and reason.startswith("consignee")
        assert ("tried to deliver" in page, "attempt failed" in page) == (was_there, was_there), reason
        # The reason in plain words.
        assert str(CLAUSES[reason]) in page
