"""POST /api/v1/parcels and /api/v1/parcels/batch against whatever a program may send.

In a batch a bad item is rejected at its pointer and its neighbour is booked; alone it is a problem document
that points at the same field. What is no batch at all is a problem document of the 400s.
"""

import json
from typing import Any

import pytest

from tests.hostile.target import Target
from tests.parcels.helpers.bookings import body_for

pytestmark = pytest.mark.django_db
HUGE = 1_000_000
RECIPIENT: dict[str, Any] = body_for()["recipient"]

# What is wrong, the fields that are (`...`: left out), where the answer points, and that error's code.
ITEMS: list[tuple[str, dict[str, Any], str, str]] = [
    ("no tier", {"tier": ...}, "/tier", "required"),
    ("Unknown tier", {"tier": "teleport"}, "/tier", "unknown"),
    ("NUL in the tier", {"tier": "\0"}, "/tier", "unknown"),
    ("half a pair in the tier", {"tier": "\ud800"}, "/tier", "unknown"),
    ("1 MB of tier", {"tier": "x" * HUGE}, "/tier", "unknown"),
    ("a list for a tier", {"tier": []}, "/tier", "invalid"),
    ("no such city", {"origin": "Atlantis"}, "/origin", "unknown_city"),
    ("half a pair in a city", {"origin": "\udc00"}, "/origin", "unprintable"),
    ("NUL in a city", {"destination": "\0"}, "/destination", "unprintable"),
    ("1 MB of city", {"destination": "杭" * HUGE}, "/destination", "max_length"),
    ("no weight", {"weight_g": ...}, "/weight_g", "required"),
    ("weight in words", {"weight_g": "800"}, "/weight_g", "invalid"),
    ("a broken gram", {"weight_g": 800.5}, "/weight_g", "invalid"),
    ("true for a weight", {"weight_g": True}, "/weight_g", "invalid"),
    ("no weight at all", {"weight_g": 0}, "/weight_g", "min_value"),
    ("less than nothing", {"weight_g": -5}, "/weight_g", "min_value"),
    ("more than the world", {"weight_g": 10**4000}, "/weight_g", "too_heavy"),
    ("time without zone", {"ready_at": "2026-11-22T10:00:00"}, "/ready_at", "naive"),
    ("1970", {"ready_at": "1970-01-01T00:00:00Z"}, "/ready_at", "past"),
    ("year 1", {"ready_at": "0001-01-01T00:00:00+23:59"}, "/ready_at", "past"),
    ("2100", {"ready_at": "2100-01-01T00:00:00Z"}, "/ready_at", "too_far_ahead"),
    ("9999", {"ready_at": "9999-12-31T23:59:59-23:59"}, "/ready_at", "too_far_ahead"),
    ("leap second", {"ready_at": "2016-12-31T23:59:60Z"}, "/ready_at", "invalid"),
    ("seconds since 1970", {"ready_at": 1763600000}, "/ready_at", "invalid"),
    ("an object for a time", {"ready_at": {}}, "/ready_at", "invalid"),
    (
        "a promise of 9999",
        {"expected_deliver_by": "9999-12-31T23:59:59-23:59"},
        "/expected_deliver_by",
        "promise_changed",
    ),
    ("half a pair for a reference", {"reference": "\ud800"}, "/reference", "unprintable"),
    ("1 MB of reference", {"reference": "x" * HUGE}, "/reference", "max_length"),
    ("an object for a reference", {"reference": {}}, "/reference", "invalid"),
    ("Unknown courier", {"courier": "\0"}, "/courier", "not_offered"),
    ("1 MB of courier", {"courier": "x" * HUGE}, "/courier", "not_offered"),
    ("no such choice", {"if_full": []}, "/if_full", "choice"),
    ("another's address", {"pickup_address": 1}, "/pickup_address", "unknown"),
    ("a huge address", {"pickup_address": 10**30}, "/pickup_address", "unknown"),
    ("Unknown field", {"priority": 1}, "/priority", "unknown_field"),
    ("half a pair for a name", {"\ud800": 1}, "/\\ud800", "unknown_field"),
    ("no recipient", {"recipient": ...}, "/recipient", "required"),
    ("a list for a recipient", {"recipient": []}, "/recipient", "invalid"),
    ("500 levels deep", {"recipient": json.loads("[" * 500 + "]" * 500)}, "/recipient", "invalid"),
    ("nobody", {"recipient": {**RECIPIENT, "name": " "}}, "/recipient/name", "required"),
    ("a phone of letters", {"recipient": {**RECIPIENT, "phone": "call me"}}, "/recipient/phone", "invalid"),
    (
        "NUL in the address",
        {"recipient": {**RECIPIENT, "address": "a\0b"}},
        "/recipient/address",
        "unprintable",
    ),
]

# Whole bodies: what they are, the bytes, the status for a batch, and for one parcel.
BODIES: list[tuple[str, bytes, int, int]] = [
    ("nothing", b"", 422, 422),
    ("null", b"null", 422, 422),
    ("a number", b"17", 422, 422),
    ("an empty object", b"{}", 422, 422),
    ("an empty array", b"[]", 422, 422),
    ("truncated", b'[{"tier": "next_d', 400, 400),
    ("1,001 parcels", b"[" + b"1," * 1_000 + b"1]", 413, 422),
    ("5,001 parcels", b"[" + b"{}," * 5_000 + b"{}]", 413, 422),
    ("100,000 brackets", b"[" * 100_000, 400, 400),
    ("50,000 objects deep", b'{"parcels":' * 50_000, 400, 400),
    ("50,000 levels deep", b'[{"tier":' + b"[" * 50_000 + b"]" * 50_000 + b"}]", 400, 400),
    ("NaN", b'[{"weight_g": NaN}]', 400, 400),
    ("Infinity", b'[{"weight_g": -Infinity}]', 400, 400),
    ("5,000 digits", b'[{"weight_g": ' + b"9" * 5_000 + b"}]", 400, 400),
    ("bytes that are no UTF-8", b'[{"tier": "\xff"}]', 400, 400),
    ("a NUL byte", b'[{"tier": "\0"}]', 400, 400),
    ("UTF-16", "[]".encode("utf-16"), 400, 400),
    ("13 MB", b" " * 13_000_000, 413, 413),
    ("50 MB", b" " * 50_000_000, 413, 413),
]


@pytest.mark.parametrize(
    ("fields", "pointer", "code"), [item[1:] for item in ITEMS], ids=[item[0] for item in ITEMS]
)
def test_bad_item_is_rejected_and_its_neighbour_booked(
    target: Target, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = target.bookings(json.dumps([body_for(**fields), body_for()]).encode())
    assert answer.status == 200, answer.body[:300]
    assert (answer.json["booked"], answer.json["rejected"]) == (1, 1)
    [error] = answer.json["results"][0]["errors"]
    assert (error["pointer"], error["code"]) == (f"/0{pointer}", code)
    assert len(answer.body) < 4000


@pytest.mark.parametrize(
    ("fields", "pointer", "code"), [item[1:] for item in ITEMS], ids=[item[0] for item in ITEMS]
)
def test_bad_parcel_is_a_problem_that_points_at_the_field(
    target: Target, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = target.send(
        "POST", "/api/v1/parcels", json.dumps(body_for(**fields)).encode(), token=target.merchant
    )
    assert answer.status in (409, 422), answer.body[:300]
    assert answer.is_problem
    assert [(error["pointer"], error["code"]) for error in answer.json["errors"]] == [(pointer, code)]


@pytest.mark.parametrize(
    ("body", "batch", "single"), [body[1:] for body in BODIES], ids=[body[0] for body in BODIES]
)
def test_body_that_is_no_booking_is_a_problem(target: Target, body: bytes, batch: int, single: int) -> None:
    for path, status in (("/api/v1/parcels/batch", batch), ("/api/v1/parcels", single)):
        answer = target.send("POST", path, body, token=target.merchant)
        assert (answer.status, answer.is_problem) == (status, True), answer.body[:300]


def test_of_a_hundred_thousand_unknown_fields_some_are_named(target: Target) -> None:
    answer = target.bookings(json.dumps([body_for(**{f"f{n}": 1 for n in range(100_000)})]).encode())
    assert answer.status == 200
    assert len(answer.json["results"][0]["errors"]) == 20


def test_a_name_of_a_megabyte_is_not_sent_back(target: Target) -> None:
    answer = target.bookings(json.dumps([body_for(**{"k" * HUGE: 1})]).encode())
    assert (answer.status, answer.json["rejected"]) == (200, 1)
    assert len(answer.body) < 1_000


@pytest.mark.parametrize("key", ["k" * 256, "\xff\xfe"])
def test_idempotency_key_that_is_none(target: Target, key: str) -> None:
    answer = target.bookings(json.dumps([body_for()]).encode(), Idempotency_Key=key)
    assert answer.status in (200, 422)


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_content_that_is_said_to_be_no_json_is_not_read(target: Target, content_type: str) -> None:
    answer = target.bookings(json.dumps([body_for()]).encode(), Content_Type=content_type)
    assert (answer.status, answer.is_problem) == (415, True)


def test_a_thousand_cities_nobody_knows_are_not_looked_up_for_long(target: Target) -> None:
    answer = target.bookings(json.dumps([body_for(origin=f"Nowhere {n}") for n in range(1_000)]).encode())
    assert (answer.status, answer.json["rejected"]) == (200, 1_000)
