"""Pages of pickups: a merchant asks, a courier answers, both see what was missed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alliance.tenancy import Actor
from parcels.models import Parcel, Pickup, PickupAddress
from slas.commitments.services.sweeping import sweep_overdue
from tests.parcels.helpers.parcel_views import scan, text_of
from tests.parcels.pickups.conftest import accept, request

pytestmark = pytest.mark.django_db


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(timezone, "now", lambda: moment)


def form_of(nine: datetime, numbers: list[str], **changes: Any) -> dict[str, Any]:
    day = nine.date().isoformat()
    return {"day": day, "start": "10:00", "end": "12:00", "note": "", "numbers": numbers,
            "listed": " ".join(numbers), **changes}  # fmt: skip


def test_a_merchant_requests_what_waits_and_is_told_what_does_not_fit(
    merchant_client: Client, booked: list[Parcel], nine: datetime
) -> None:
    numbers = [parcel.number for parcel in booked]
    stops = text_of(merchant_client.get("/pickups/new/"))
    assert "Swift Express" in stops
    assert "Choose a window" in stops
    page = merchant_client.post("/pickups/new/", {"numbers": numbers})
    assert page.status_code == 200
    assert page.content.decode().count('name="numbers"') == 3
    late = merchant_client.post("/pickups/new/", form_of(nine, numbers, end="15:30"))
    assert late.status_code == 422
    assert "None of these parcels fits" in text_of(late)
    assert "promised by" in text_of(late)
    assert "15:00" in text_of(late)
    nothing = merchant_client.post("/pickups/new/", form_of(nine, [], listed=" ".join(numbers)))
    assert "Select at least one parcel." in text_of(nothing)
    made = merchant_client.post("/pickups/new/", form_of(nine, numbers[:2]), follow=True)
    text = text_of(made)
    assert "Waiting for the courier" in text
    assert numbers[0] in text
    assert numbers[2] not in text
    again = text_of(merchant_client.get("/pickups/new/", {"number": numbers[0]}))
    assert "1 parcel is left out" in again


def test_a_courier_answers_on_the_page_and_has_it_in_its_round(
    courier_client: Client,
    merchant_client: Client,
    merchant: Actor,
    booked: list[Parcel],
    nine: datetime,
    address: PickupAddress,
) -> None:
    pickup = request(merchant, booked, nine, note="Gate 3").pickup
    url = f"/pickups/{pickup.pk}/"
    listed = text_of(courier_client.get("/pickups/"))
    assert "1 request waits for your answer" in listed
    assert address.address in text_of(courier_client.get(url))
    empty = courier_client.post(f"{url}decline/", {"note": ""})
    assert empty.status_code == 422
    assert "Say why" in text_of(empty)
    wrong = {"day": nine.date().isoformat(), "start": "12:00", "end": "11:00", "note": ""}
    assert courier_client.post(f"{url}propose/", wrong).status_code == 422
    later = {**wrong, "start": "14:00", "end": "16:00", "note": "Van in repair"}
    proposed = courier_client.post(f"{url}propose/", later, follow=True)
    assert "Proposed. The merchant agrees" in text_of(proposed)
    page = merchant_client.get(url)
    text = text_of(page)
    assert "Van in repair" in text
    assert "ends after the promised pickup of 3 parcels" in text
    key = page.context["window_key"]
    stale = merchant_client.post(f"{url}agree/", {"window": "1-2"}, follow=True)
    assert "Another window was proposed since" in text_of(stale)
    agreed = merchant_client.post(f"{url}agree/", {"window": key}, follow=True)
    assert "Swift Express comes" in text_of(agreed)
    on_the_day = courier_client.get("/pickups/round/", {"day": nine.date().isoformat()})
    text = text_of(on_the_day)
    for word in ("14:00–16:00", "Lotus Tea", "Gate 3", "0571 8502 2088", "2.4 kg"):
        assert word in text
    assert "Nothing is agreed" in text_of(courier_client.get("/pickups/round/", {"day": "2026-01-01"}))
    assert courier_client.get("/pickups/round/", {"day": "x"}).status_code == 422


def test_a_missed_window_is_shown_on_both_sides_and_in_the_breach(
    courier_client: Client,
    merchant_client: Client,
    merchant: Actor,
    courier: Actor,
    booked: list[Parcel],
    nine: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pickup: Pickup = accept(courier, request(merchant, booked, nine).pickup, nine)
    scan(booked[0], "picked_up", 2)
    now = nine + timedelta(hours=3, minutes=5)
    sweep_overdue(now=now)
    at(monkeypatch, now)
    for client in (merchant_client, courier_client):
        text = text_of(client.get(f"/pickups/{pickup.pk}/"))
        assert "2 of 3 parcels were not picked up within the agreed window." in text
        assert text.count("window missed") == 2
    parcel = text_of(merchant_client.get(f"/parcels/{booked[1].number}/"))
    assert "end of the agreed window; promised by" in parcel
    breach = text_of(courier_client.get(f"/breaches/{booked[1].number}/pickup/"))
    assert "the end of the agreed pickup window" in breach
    assert "The pickup request" in breach


def test_a_request_of_others_is_not_found(
    courier_client: Client, merchant: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = request(merchant, booked, nine).pickup
    assert courier_client.get(f"/pickups/{pickup.pk + 1}/").status_code == 404
    assert courier_client.post(f"/pickups/{pickup.pk}/cancel/").status_code == 403
