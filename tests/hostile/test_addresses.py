"""What may stand where a tracking number should: in addresses of pages and of the API."""

from urllib.parse import quote

import pytest
from django.test import Client
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db
# Those with a % are percent-encoded already: bytes that are no UTF-8, and others that clients take out.
NAMES = [
    "\0",
    "'; DROP TABLE parcels_parcel; --",
    "../../etc/passwd",
    "１２３",
    "💩",
    "\u202e",
    "-1",
    "NaN",
    "1e400",
    "9" * 400,
    "C" * 4000,
    "CA0AV8Q2M4K7YX3NR5",
    "\r\nX: y",
    "%FF%FE",
    "%ED%A0%80",
    "%00",
]


def encoded(name: str) -> str:
    return name if name.startswith("%") else quote(name, safe="")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("door", ["/api/v1/tracking/%s", "/api/v1/parcels/%s", "/api/v1/parcels/%s/cancel"])
def test_program_asks_for_what_is_no_number(merchant_api: APIClient, door: str, name: str) -> None:
    ask = merchant_api.post if door.endswith("cancel") else merchant_api.get
    answer = ask(door % encoded(name))
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize(
    "door", ["/track/%s/", "/parcels/%s/", "/breaches/%s/delivery/", "/track/?number=%s", "/parcels/?q=%s"]
)
def test_person_asks_for_what_is_no_number(merchant_client: Client, door: str, name: str) -> None:
    answer = merchant_client.get(door % encoded(name))
    assert answer.status_code in ((200, 302, 404, 422) if "?" in door else (404,))
