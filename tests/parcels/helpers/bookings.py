"""Bookings for tests: booking requests, and their JSON."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient

from alliance.models import City
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.rules import BookingRequest, Recipient
from parcels.bookings.services.booking import book_parcel
from parcels.bookings.services.writing import Booked
from parcels.models import Parcel

QUOTES, PARCELS, BATCH = "/api/v1/quotes", "/api/v1/parcels", "/api/v1/parcels/batch"
RECIPIENT = Recipient("王小明", "13812345678", "人民南路四段12号3单元1203室")


def request_for(origin: City, destination: City, at: datetime, **overrides: Any) -> BookingRequest:
    values = {"tier": "next_day", "weight_g": 800, "ready_at": at, "recipient": RECIPIENT, **overrides}
    return BookingRequest(origin=origin, destination=destination, **values)


def body_for(**overrides: Any) -> dict[str, Any]:
    """A booking as a program sends it, from Hangzhou to Chengdu."""
    recipient = {"name": "王小明", "phone": "13812345678", "address": "人民南路四段12号3单元1203室"}
    body = {
        "tier": "next_day",
        "origin": "CN-HGH",
        "destination": "CN-CTU",
        "weight_g": 800,
        "recipient": recipient,
    }
    return {key: value for key, value in {**body, **overrides}.items() if value is not ...}


def booked(merchant: Actor, origin: City, destination: City, *, at: datetime, **overrides: Any) -> Booked:
    with scope(Scope.of(merchant)):
        return book_parcel(actor=merchant, request=request_for(origin, destination, at, **overrides), at=at)


def book(api: APIClient, **overrides: Any) -> dict[str, Any]:
    """Book through the API; returns the answer."""
    response = api.post(PARCELS, body_for(**overrides))
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def pointers(response: Any) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


def parcels_of(merchant: Actor) -> list[Parcel]:
    with scope(Scope.of(merchant)):
        return list(Parcel.objects.order_by("id"))


def tomorrow() -> datetime:
    """Tomorrow 09:00 in China: before every cut-off, at any time of day."""
    local = timezone.localtime() + timedelta(days=1)
    return local.replace(hour=9, minute=0, second=0, microsecond=0)
