"""Returns by the API and in the portal, and what a parcel and its label say of them."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.labels.queries import labels_of
from parcels.models import Parcel, PickupAddress, ReturnRequest
from slas.listed import first_with_names
from tests import factories
from tests.parcels.helpers.bookings import pointers
from tests.parcels.helpers.parcel_views import client_of, some_parcels, text_of
from tests.parcels.helpers.returns import (
    again,
    allowed,
    asked,
    issued,
    parcel_of,
    refused_parcel,
    request_for,
)

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture
def owner_api(merchant: Actor) -> APIClient:
    return factories.api_client(merchant, {"parcels:read", "parcels:book", "rules:write"})


@pytest.fixture
def portal(merchant_organisation: Organisation) -> Client:
    return client_of(merchant_organisation, Role.OWNER)


def test_program_issues_a_return_once_a_key(merchant_api: APIClient, delivered: Parcel) -> None:
    door = f"{API}/parcels/{delivered.number}/return"
    body = {"tier": "next_day", "reference": "RMA-1"}
    first, second = (merchant_api.post(door, body, HTTP_IDEMPOTENCY_KEY="r-1") for _call in range(2))
    assert (first.status_code, second.json()) == (201, first.json())
    answer = first.json()
    assert (answer["return_of"], answer["reference"]) == (delivered.number, "RMA-1")
    outward = merchant_api.get(f"{API}/parcels/{delivered.number}").json()
    back = merchant_api.get(f"{API}/parcels/{answer['tracking_number']}").json()
    assert (outward["returned_by"], outward["return_of"], outward["sender"]) == (
        back["tracking_number"],
        None,
        None,
    )
    assert (back["return_of"], back["returned_by"]) == (delivered.number, None)
    # Masked as recipients are.
    assert back["sender"]["name"] == "欧***"
    assert "5678" not in back["sender"]["phone"]
    assert back["recipient"]["name"] == "Z**** M**"
    third = merchant_api.post(door, body)
    assert (third.status_code, third.json()["returned_by"]) == (409, back["tracking_number"])
    assert third.json()["type"].endswith("already_issued")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, ("/tier", "required")),
        ({"tier": "next_day", "pickup_address": 99}, ("/pickup_address", "unknown")),
        ({"tier": "next_day", "pickup_adress": 1}, ("/pickup_adress", "unknown_field")),
        ({"tier": "next_day", "weight_g": "heavy"}, ("/weight_g", "invalid")),
        ({"tier": "next_day", "weight_g": 0}, ("/weight_g", "min_value")),
        ({"tier": "next_day", "ready_at": "tomorrow"}, ("/ready_at", "invalid")),
    ],
)
def test_wrong_bodies_are_refused_with_a_pointer(
    merchant_api: APIClient, delivered: Parcel, body: dict[str, Any], problem: tuple[str, str]
) -> None:
    answer = merchant_api.post(f"{API}/parcels/{delivered.number}/return", body)
    assert answer.status_code == 422
    assert problem in pointers(answer)
    assert again(delivered).returned_by_id is None


def test_program_reads_and_changes_the_policy(owner_api: APIClient, merchant_api: APIClient) -> None:
    door = f"{API}/return-policy"
    assert owner_api.get(door).json()["allowed"] is False
    body = {"allowed": True, "window_days": 14, "reasons": ["size", "other"], "note": "  We pay. "}
    answer = owner_api.put(door, body)
    assert answer.status_code == 200
    assert answer.json() == {**body, "note": "We pay."} == owner_api.get(door).json()
    wrong = owner_api.put(door, {"allowed": True, "window_days": 61, "reasons": ["ugly"], "note": "x"})
    assert [pointer for pointer, _code in pointers(wrong)] == ["/window_days", "/reasons"]
    assert owner_api.put(door, {**body, "reasons": []}).status_code == 422
    assert merchant_api.put(door, body).status_code == 403


def test_program_decides_on_requests(
    merchant: Actor, merchant_api: APIClient, delivered: Parcel, rival_merchant: Organisation
) -> None:
    allowed(merchant)
    asked(delivered, note="too small")
    page = merchant_api.get(f"{API}/return-requests", {"state": "requested"}).json()
    [request] = page["results"]
    assert (request["tracking_number"], request["reason"], request["note"]) == (
        delivered.number,
        "size",
        "too small",
    )
    assert merchant_api.get(f"{API}/return-requests", {"state": "declined"}).json()["results"] == []
    door = f"{API}/return-requests/{delivered.number}"
    assert merchant_api.post(f"{door}/decline", {}).status_code == 422
    approved = merchant_api.post(f"{door}/approve", {"tier": "next_day"})
    assert approved.status_code == 201, approved.content
    [request] = merchant_api.get(f"{API}/return-requests").json()["results"]
    assert (request["state"], request["returned_by"]) == ("approved", approved.json()["tracking_number"])
    late = merchant_api.post(f"{door}/decline", {"answer": "No"})
    assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (409, "decided")


def test_list_of_requests_is_cut_in_pages(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    merchant_api: APIClient,
    everything: None,
) -> None:
    for parcel in some_parcels(merchant_organisation, courier_organisation, count=3):
        ReturnRequest.objects.create(
            parcel_id=parcel.pk, merchant_id=merchant_organisation.pk, state="requested", reason="size"
        )
    seen, url = [], f"{API}/return-requests?page_size=2"
    while url:
        page = merchant_api.get(url).json()
        seen += [request["tracking_number"] for request in page["results"]]
        url = page["next"]
    assert len(seen) == len(set(seen)) == 3


def test_merchant_issues_a_return_in_the_portal(portal: Client, delivered: Parcel) -> None:
    parcel_page = portal.get(f"/parcels/{delivered.number}/")
    assert "Issue a return" in text_of(parcel_page)
    page = portal.get(f"/parcels/{delivered.number}/return/")
    assert "Swift Express" in text_of(page)
    [tier] = [tier for tier in page.context["tiers"] if tier.offers]
    url = tier.offers[0].book_url
    chosen = portal.get(url)
    assert "Issue for CNY 12.00" in text_of(chosen)
    answer = portal.post(url)
    back = again(delivered).returned_by_id
    assert back is not None
    number = Parcel(id=back).number
    assert answer["Location"] == f"/parcels/{number}/"
    page = text_of(portal.get(f"/parcels/{number}/"))
    assert "This parcel is a return. It brings back" in page
    assert "欧***" in page
    assert number in text_of(portal.get(f"/parcels/{delivered.number}/"))
    again_asked = portal.post(url)
    assert again_asked.status_code == 409
    assert "already" in text_of(again_asked)


def test_offer_that_changed_is_not_booked(portal: Client, delivered: Parcel) -> None:
    page = portal.get(f"/parcels/{delivered.number}/return/")
    [tier] = [tier for tier in page.context["tiers"] if tier.offers]
    answer = portal.post(tier.offers[0].book_url.replace("price=12.00", "price=1.00"))
    assert answer.status_code == 409
    assert "The price has changed" in text_of(answer)
    assert again(delivered).returned_by_id is None


def test_merchant_decides_in_the_portal(merchant: Actor, portal: Client, delivered: Parcel) -> None:
    assert "Recipients cannot request returns yet" in text_of(portal.get("/returns/"))
    saved = portal.post(
        "/returns/settings/", {"is_allowed": "on", "window_days": "7", "reasons": ["size"], "note": ""}
    )
    assert saved.status_code == 302
    assert portal.post("/returns/settings/", {"window_days": "0"}).status_code == 422
    asked(delivered, note="<b>too small</b>")
    page = portal.get("/returns/")
    assert "<b>too small</b>" in text_of(page)
    assert "&lt;b&gt;too small" in page.content.decode()
    assert portal.get("/returns/?state=declined").status_code == 200
    door = f"/returns/{delivered.number}/decline/"
    refused = portal.post(door, {"answer": ""})
    assert refused.status_code == 422
    assert "too small" in text_of(refused)
    assert portal.post(door, {"answer": "It has been worn."}).status_code == 302
    found = request_for(delivered)
    assert found is not None
    assert (found.state, found.answer) == ("declined", "It has been worn.")


def test_page_of_a_request_that_was_withdrawn_since_books_nothing(portal: Client, merchant: Actor,
    delivered: Parcel) -> None:  # fmt: skip
    allowed(merchant)
    asked(delivered)
    page = portal.get(f"/parcels/{delivered.number}/return/")
    [tier] = [tier for tier in page.context["tiers"] if tier.offers]
    chosen = portal.get(tier.offers[0].book_url)
    assert '<input type="hidden" name="asked" value="requested">' in chosen.content.decode()
    with scope(Scope.everything()):
        ReturnRequest.objects.update(state="withdrawn")
    answer = portal.post(tier.offers[0].book_url, {"asked": "requested"})
    assert (answer.status_code, again(delivered).returned_by_id) == (409, None)
    assert "This request is “Withdrawn” by now." in text_of(answer)
    assert portal.post(tier.offers[0].book_url).status_code == 302


def test_lists_mark_and_find_returns(
    merchant: Actor, merchant_api: APIClient, portal: Client, delivered: Parcel,
    merchant_organisation: Organisation, courier_organisation: Organisation,
) -> None:  # fmt: skip
    [other] = some_parcels(merchant_organisation, courier_organisation)
    first = issued(merchant, delivered)

    def found(query: str) -> list[set[str]]:
        api = merchant_api.get(f"{API}/parcels?{query}").json()["results"]
        lines = b"".join(portal.get(f"/parcels/export/?{query}").streaming_content)  # type: ignore[attr-defined]
        rows = [line.split(",") for line in lines.decode().splitlines()[1:]]
        listed = {row.number for row in portal.get(f"/parcels/?{query}").context["rows"]}
        return [{each["tracking_number"] for each in api}, {row[0] for row in rows}, listed]

    numbers = {delivered.number, other.number, first.number}
    for query, expected in {
        "is_return=true": {first.number},
        "is_return=false": {delivered.number, other.number},
        "has_return=true": {delivered.number},
        "has_return=false": {other.number, first.number},
        "is_return=false&has_return=false": {other.number},
    }.items():
        assert found(query) == [expected] * 3
    marks = {row.number: row.way for row in portal.get("/parcels/").context["rows"]}
    assert marks == {delivered.number: "Has a return", other.number: "", first.number: "Return"}
    assert portal.post(f"/parcels/{first.number}/cancel/").status_code == 302
    assert found("has_return=true") == [set()] * 3
    assert found("has_return=false") == [numbers] * 3
    told = merchant_api.get(f"{API}/parcels/{delivered.number}").json()
    assert (told["returned_by"], told["return_cancelled_at"] is None) == (first.number, False)
    assert "Return cancelled" in text_of(portal.get("/parcels/"))
    assert "Issue a return" in text_of(portal.get(f"/parcels/{delivered.number}/"))
    refused = merchant_api.get(f"{API}/parcels?is_return=maybe")
    assert (refused.status_code, pointers(refused)[0][0]) == (422, "/is_return")


def test_courier_sees_where_to_collect(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    delivered: Parcel,
) -> None:
    courier = client_of(courier_organisation, Role.OWNER)
    back = issued(merchant, delivered)
    page = text_of(courier.get(f"/parcels/{back.number}/"))
    assert "Collect it from" in page
    assert "人民南路四段" in page
    assert "1203" not in page
    full = text_of(courier.post(f"/parcels/{back.number}/recipient/"))
    assert "人民南路四段12号3单元1203室" in full
    held = issued(merchant, refused_parcel(merchant_organisation, courier_organisation))
    assert "collect it from Swift Express, which has it" in text_of(courier.get(f"/parcels/{held.number}/"))
    assert "Issue a return" not in page


def test_label_says_that_it_is_a_return(merchant: Actor, delivered: Parcel, address: PickupAddress) -> None:
    booked = issued(merchant, delivered, reference="tel 13812345678")
    with scope(Scope.of(merchant)):
        back = first_with_names(Parcel.objects.filter(pk=booked.parcel_id))
        outward = first_with_names(Parcel.objects.filter(pk=delivered.pk))
        assert back is not None
        assert outward is not None
        label, other = labels_of(actor=merchant, parcels=[back, outward], now=back.booked_at)
    assert (label.is_return, other.is_return) == (True, False)
    assert label.sender == f"欧*** · {delivered.number}"
    assert other.sender == "Lotus Tea"
    # No digits of the phone of whom it is collected from.
    assert "1381234" not in label.reference
    assert parcel_of(booked.number).label_printed_at is None
