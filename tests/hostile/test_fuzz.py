"""Both endpoints against what nobody thought of: never a 5xx, and good lines among bad ones are kept."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from alliance.models import City, Organisation
from parcels.choices import ScanCode, ScanReason
from tests.factories import SWIFT
from tests.helpers.profiles import scaled
from tests.parcels.helpers.bookings import body_for
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.offers import offer

pytestmark = pytest.mark.django_db
fuzzed = settings(
    max_examples=scaled(60),
    deadline=None,
    # The fixtures are the people; what each example wrote is rolled back after it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Surrogates are in it, and JSON spells them out.
texts = st.text(st.characters(codec=None), max_size=80)
moments = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.datetimes().map(str),
    st.integers(-99, 99).map(lambda hours: f"2026-11-20T10:00:00{hours:+03d}:00"),
    st.sampled_from(["now", "2026-11-20", "2026-11-20T23:59:60Z", "10000-01-01T00:00:00Z"]),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, moments)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8)


def objects(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the fields as they should be, some as they should not, and others."""
    known = st.fixed_dictionaries({}, optional={name: right | values for name, right in fields.items()})
    return st.tuples(known, st.dictionaries(texts, values, max_size=2)).map(
        lambda parts: {**parts[1], **parts[0]}
    )


corrected = objects({"code": st.sampled_from(ScanCode.values), "occurred_at": moments, "facility": texts})
scans = objects(
    {
        "tracking_number": texts,
        "code": st.sampled_from(ScanCode.values),
        "occurred_at": moments,
        "event_id": texts,
        "reason": st.sampled_from(ScanReason.values),
        "facility": texts,
        "consent": st.booleans(),
        "corrects": texts | corrected,
    }
)
cities = st.sampled_from(["CN-HGH", "CN-CTU", "杭州", "Chengdu", "Suzhou"])
bookings = objects(
    {
        "tier": st.sampled_from(["next_day", "same_day"]),
        "origin": cities,
        "destination": cities,
        "weight_g": st.integers(1, 9000),
        "ready_at": moments,
        "recipient": objects({"name": texts, "phone": texts, "address": texts}),
        "reference": texts,
        "courier": st.just(SWIFT),
        "expected_deliver_by": moments,
        "if_full": st.sampled_from(["next", "refuse"]),
        "pickup_address": st.integers(),
    }
)


def post(client: APIClient, path: str, body: bytes, content_type: str = "application/json") -> Any:
    client.raise_request_exception = False
    # A savepoint an example: one that the database refused would spoil those after it.
    with transaction.atomic():
        answer = client.generic("POST", path, body, content_type=content_type)
        transaction.set_rollback(True)
    assert answer.status_code < 500, answer.content[:500]
    return answer


@pytest.fixture
def good_scan(merchant_organisation: Organisation, courier_organisation: Organisation) -> dict[str, Any]:
    at = timezone.now() - timedelta(days=1)
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=at)
    occurred_at = (at + timedelta(hours=1)).isoformat()
    return {
        "tracking_number": parcel.number,
        "code": "picked_up",
        "occurred_at": occurred_at,
        "event_id": "\n",
    }


@fuzzed
@given(bad=st.lists(scans | values, max_size=6), place=st.integers(0, 6), real=st.booleans())
def test_scans_that_are_good_are_kept_whatever_is_beside_them(
    courier_api: APIClient, good_scan: dict[str, Any], bad: list[Any], place: int, real: bool
) -> None:
    if real:
        bad = [
            {**line, "tracking_number": good_scan["tracking_number"]} if isinstance(line, dict) else line
            for line in bad
        ]
    lines = [*bad[:place], good_scan, *bad[place:]]
    index = lines.index(good_scan)
    # NaN and its like are no JSON: on its own line each is refused, in an array they cost the array.
    ndjson = b"\n".join(json.dumps(line).encode() for line in lines)
    answer = post(courier_api, "/api/v1/scans", ndjson, "application/x-ndjson").json()
    assert answer["accepted"] + answer["duplicate"] + answer["rejected"] == len(lines)
    assert index not in [rejection["index"] for rejection in answer["rejections"]]
    try:
        array = json.dumps(lines, allow_nan=False).encode()
    except ValueError:
        return
    assert post(courier_api, "/api/v1/scans", array).json() == answer


@fuzzed
@given(body=st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_sent_for_scans_is_answered(courier_api: APIClient, body: bytes) -> None:
    for content_type in ("application/json", "application/x-ndjson"):
        assert post(courier_api, "/api/v1/scans", body, content_type).status_code in (200, 400, 413, 422)


@pytest.fixture
def on_sale(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> None:
    offer(courier_organisation, hangzhou, chengdu, daily_capacity=1_000_000)


@fuzzed
@given(bad=st.lists(bookings | values, max_size=6), place=st.integers(0, 6))
def test_bookings_that_are_good_are_kept_whatever_is_beside_them(
    merchant_api: APIClient, on_sale: None, bad: list[Any], place: int
) -> None:
    items = [*bad[:place], body_for(), *bad[place:]]
    try:
        body = json.dumps(items, allow_nan=False).encode()
    except ValueError:
        body = json.dumps(items).encode()
        assert post(merchant_api, "/api/v1/parcels/batch", body).status_code == 400
        return
    answer = post(merchant_api, "/api/v1/parcels/batch", body).json()
    assert answer["booked"] + answer["rejected"] == len(items)
    assert answer["results"][min(place, len(bad))]["status"] == "booked"


@fuzzed
@given(body=st.binary(max_size=200) | (bookings | values).map(lambda value: json.dumps(value).encode()))
def test_whatever_is_sent_for_a_booking_is_answered(
    merchant_api: APIClient, on_sale: None, body: bytes
) -> None:
    for path in ("/api/v1/parcels", "/api/v1/parcels/batch", "/api/v1/quotes"):
        assert post(merchant_api, path, body).status_code in (200, 201, 400, 409, 413, 422)
