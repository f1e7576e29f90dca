"""POST /api/v1/scans: valid batches, and hostile input."""

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis.connection import AbstractConnection
from rest_framework.test import APIClient

from alliance.api import throttling
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel, Scan
from tests.parcels.helpers.parcels import booked_parcels

URL = "/api/v1/scans"
# Partitions begin with last month.
BOOKED = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
NDJSON = "application/x-ndjson"
# On a cluster settings are a function's.
SETTINGS = "SELECT alliance_settings('"


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    return booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED)[0]


def item(parcel: Parcel, code: str = "picked_up", hours: float = 1, **extra: Any) -> dict[str, Any]:
    at = (BOOKED + timedelta(hours=hours)).isoformat()
    return {"tracking_number": parcel.number, "code": code, "occurred_at": at, **extra}


def post(client: APIClient, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
    return client.generic("POST", URL, body, content_type=content_type, **headers)


def status_of(parcel: Parcel) -> str:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=parcel.pk).status


# --- accepted --------------------------------------------------------------------------------


# An Accept header that has to be weighed takes the way through DRF.
@pytest.mark.parametrize("headers", [{}, {"HTTP_ACCEPT": "application/json;q=0.9"}])
def test_both_ways_count_calls_and_refuse_those_beyond_the_limit(
    courier_api: APIClient, parcel: Parcel, settings: Any, headers: dict[str, str]
) -> None:
    settings.API_RATE_PER_MINUTE = 1
    answer = post(courier_api, json.dumps([item(parcel)]).encode(), **headers)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert (answer["RateLimit-Policy"], answer["RateLimit"][:9]) == ('"key";q=1;w=60', '"key";r=0')
    refused = post(courier_api, b"[]", **headers)
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    assert refused.json()["type"] == "urn:alliance:problem:too_many_requests"
    assert 1 <= int(refused["Retry-After"]) <= 70
    assert refused["RateLimit"][:9] == '"key";r=0'


@pytest.mark.parametrize("wrapped", [False, True])
def test_batch_is_accepted_and_counted(courier_api: APIClient, parcel: Parcel, wrapped: bool) -> None:
    scans = [item(parcel), item(parcel), item(parcel, "departed", 2, event_id=None, consent=None)]
    answer = post(courier_api, json.dumps({"scans": scans} if wrapped else scans).encode())
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 2, "duplicate": 1, "rejected": 0, "rejections": [], "warnings": []}
    assert status_of(parcel) == "in_transit"


def test_texts_of_scans_are_stored_as_they_were_sent(courier_api: APIClient, parcel: Parcel) -> None:
    texts = ['a "b"', "c\\d", "{e, NULL}", "NULL", "杭州 'x'", " ", "\t%s"]
    scans = [item(parcel, hours=hour, facility=text, event_id=text) for hour, text in enumerate(texts, 1)]
    answer = post(courier_api, json.dumps(scans).encode()).json()
    assert (answer["accepted"], answer["rejections"]) == (len(texts), [])
    with scope(Scope.everything()):
        stored = Scan.objects.filter(parcel_id=parcel.pk).order_by("occurred_at")
        assert [scan.facility for scan in stored] == [scan.event_id for scan in stored] == texts


def test_ndjson_is_read_line_by_line(courier_api: APIClient, parcel: Parcel) -> None:
    body = b"\n".join(
        [json.dumps(item(parcel)).encode(), b"", b"{broken", json.dumps(item(parcel, "departed", 2)).encode()]
    )
    answer = post(courier_api, body, NDJSON).json()
    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    assert answer["rejections"][0]["index"] == 1
    assert answer["rejections"][0]["code"] == "invalid"


def test_gzip_is_decompressed(courier_api: APIClient, parcel: Parcel) -> None:
    body = gzip.compress(json.dumps([item(parcel)]).encode())
    assert post(courier_api, body, HTTP_CONTENT_ENCODING="gzip").json()["accepted"] == 1


def test_bad_lines_have_pointers_and_good_ones_are_stored(courier_api: APIClient, parcel: Parcel) -> None:
    scans: list[Any] = [
        item(parcel) | {"occurred_at": "2026-11-20T10:00:00"},
        item(parcel) | {"occurred_at": 1763600000},
        {"tracking_number": parcel.number, "occurred_at": "2026-11-20T10:00:00Z"},
        item(parcel, facility="x" * 65),
        item(parcel, "correction", corrects={"code": "departed", "occurred_at": "yesterday"}),
        7,
        None,
        item(parcel) | {"tracking_number": 10**400},
        item(parcel, consent="yes"),
        item(parcel, "correction", corrects=[]),
        item(parcel),
    ]
    answer = post(courier_api, json.dumps(scans).encode()).json()
    assert answer["accepted"] == 1
    assert [(rejection["index"], rejection["pointer"]) for rejection in answer["rejections"]] == [
        (0, "/0/occurred_at"),
        (1, "/1/occurred_at"),
        (2, "/2/code"),
        (3, "/3/facility"),
        (4, "/4/corrects/occurred_at"),
        (5, "/5"),
        (6, "/6"),
        (7, "/7/tracking_number"),
        (8, "/8/consent"),
        (9, "/9/corrects"),
    ]
    assert {rejection["code"] for rejection in answer["rejections"]} == {"invalid"}
    for rejection in answer["rejections"]:
        assert rejection["detail"].endswith(".")
        # Sentences for people, not types of a program.
        assert not {"Expected", "str", "`"} & set(rejection["detail"].split())
        assert "`" not in rejection["detail"]
    assert answer["rejections"][3]["detail"] == "At most 64 characters."


def test_misspelt_field_costs_its_scan_only_and_is_named(courier_api: APIClient, parcel: Parcel) -> None:
    scans = [
        item(parcel, "available_for_pickup", 3, consnet=True),
        item(parcel, "departed", 2),
        item(parcel, "arrived", 2, zzz=1),
    ]
    for body, kind in (
        (json.dumps(scans).encode(), "application/json"),
        (b"\n".join(json.dumps(scan).encode() for scan in scans), NDJSON),
    ):
        answer = post(courier_api, body, kind).json()
        assert answer["accepted"] + answer["duplicate"] == 1
        assert [(found["pointer"], found["code"], found["detail"]) for found in answer["rejections"]] == [
            ("/0/consnet", "unknown_field", "Unknown field. Did you mean “consent”?"),
            ("/2/zzz", "unknown_field", "Unknown field."),
        ]
    assert status_of(parcel) == "in_transit"


def test_unknown_field_beside_the_scans_refuses_the_batch(courier_api: APIClient, parcel: Parcel) -> None:
    answer = post(courier_api, json.dumps({"scans": [item(parcel)], "dry_run": True}).encode())
    assert answer.status_code == 422
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
        ("/dry_run", "unknown_field")
    ]
    assert status_of(parcel) == "booked"


def test_answer_warns_of_a_cancelled_parcel(courier_api: APIClient, parcel: Parcel) -> None:
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(status="cancelled", cancelled_at=BOOKED)
    answer = post(courier_api, json.dumps([item(parcel), item(parcel, "delivered", 2)]).encode()).json()
    assert (answer["accepted"], answer["rejections"]) == (2, [])
    [warning] = answer["warnings"]
    assert (warning["index"], warning["code"]) == (1, "moving_though_cancelled")
    assert warning["pointer"] == "/1/tracking_number"
    assert "cancelled" in warning["detail"]


def test_answers_have_rate_limit_headers(courier_api: APIClient, parcel: Parcel) -> None:
    answer = post(courier_api, json.dumps([item(parcel)]).encode())
    assert answer["RateLimit-Policy"].startswith('"key";q=')
    assert answer["RateLimit"].startswith('"key";r=')


# --- rejected --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[", 400),
        (b"[{]", 400),
        (b"[NaN]", 400),
        (b'"scans"', 400),
        (b"17", 400),
        (b'{"parcels": []}', 400),
        (b'{"scans": 5}', 400),
        (b"[" * 100_000, 400),
        (b'{"scans":' * 50_000, 400),
        (b"\xff\xfe", 400),
        (b"\x00", 400),
        (b"[]", 422),
        (b'{"scans": []}', 422),
        (b"[" + b"{}," * 5_000 + b"{}]", 413),
        (b"[" + b" " * 4_200_000 + b"]", 413),
    ],
)
def test_unreadable_batch_is_refused(courier_api: APIClient, body: bytes, status: int) -> None:
    answer = post(courier_api, body)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"tracking_number": "%(number)s", "code": "departed", "occurred_at": %(deep)s}',
        b'{"tracking_number": "%(number)s", "code": "departed", "occurred_at": "2100-01-01T00:00:00Z"}',
        b'{"tracking_number": "%(number)s", "code": "departed", "occurred_at": "1970-01-01T00:00:00Z"}',
        b'{"tracking_number": "%(number)s", "code": "departed", "occurred_at": "0001-01-01T00:00:00+23:59"}',
        b'{"tracking_number": "%(number)s", "code": "departed", "occurred_at": "9999-12-31T23:59:59-23:59"}',
        b'{"tracking_number": "%(number)s", "code": "departed", "occurred_at": "2026-11-20T02:00:00Z",'
        b' "event_id": "\\u0000"}',
        b'{"tracking_number": "\\u0000", "code": "departed", "occurred_at": "2026-11-20T02:00:00Z"}',
        b'{"tracking_number": "%(number)s", "code": "\\u0000", "occurred_at": "2026-11-20T02:00:00Z"}',
        b'{"tracking_number": "%(number)s", "code": "held", "reason": "\\u0000",'
        b' "occurred_at": "2026-11-20T02:00:00Z"}',
        b'{"tracking_number": "\xff", "code": "departed", "occurred_at": "2026-11-20T02:00:00Z"}',
    ],
)
def test_hostile_line_is_rejected_and_the_next_one_accepted(
    courier_api: APIClient, parcel: Parcel, hostile: bytes
) -> None:
    deep = b"[" * 200 + b"]" * 200
    bad = hostile.replace(b"%(number)s", parcel.number.encode()).replace(b"%(deep)s", deep)
    answer = post(courier_api, b"[" + bad + b"," + json.dumps(item(parcel)).encode() + b"]")
    assert answer.status_code == 200
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)


def test_gzip_bomb_and_invalid_gzip_are_refused(courier_api: APIClient) -> None:
    bomb = gzip.compress(b" " * 40_000_000)
    for body, status in ((bomb, 413), (b"rubbish", 400), (bomb[:100], 400), (b"", 400)):
        assert post(courier_api, body, HTTP_CONTENT_ENCODING="gzip").status_code == status
    assert post(courier_api, b"[]", HTTP_CONTENT_ENCODING="br").status_code == 400


def test_multipart_is_refused(courier_api: APIClient) -> None:
    assert courier_api.post(URL, {"scans": "1"}, format="multipart").status_code == 415


def test_foreign_parcels_are_unknown(
    courier_api: APIClient, merchant_organisation: Organisation, rival_courier: Organisation
) -> None:
    [foreign] = booked_parcels(merchant_organisation, rival_courier, booked_at=BOOKED)
    answer = post(courier_api, json.dumps([item(foreign)]).encode()).json()
    assert [rejection["code"] for rejection in answer["rejections"]] == ["unknown_parcel"]
    assert status_of(foreign) == "booked"


def test_only_couriers_keys_may_send(
    merchant_api: APIClient,
    merchant_client: Client,
    courier_client: Client,
    ops_client: Client,
    parcel: Parcel,
) -> None:
    body = json.dumps([item(parcel)])
    assert post(APIClient(), body.encode()).status_code == 401
    assert post(merchant_api, body.encode()).status_code == 403
    for client, status in ((merchant_client, 403), (ops_client, 403), (courier_client, 200)):
        assert client.post(URL, body, content_type="application/json").status_code == status
    with scope(Scope.everything()):
        assert Scan.objects.filter(parcel_id=parcel.pk).count() == 1


# --- cost ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [1, 200])
def test_query_count_does_not_depend_on_batch_size(
    courier_api: APIClient,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    size: int,
) -> None:
    # As one batch is booked: in one home, which on a cluster is one call.
    parcels = booked_parcels(
        merchant_organisation, courier_organisation, booked_at=BOOKED, count=size, homes=[0]
    )
    post(courier_api, json.dumps([item(parcels[0])]).encode())
    body = json.dumps([item(parcel, "delivered", 3) for parcel in parcels]).encode()
    with CaptureQueriesContext(connection) as queries:
        answer = post(courier_api, body)
    assert answer.json()["accepted"] == size
    words = [query["sql"].removeprefix(SETTINGS).split()[0] for query in queries]
    # One message says whose key it is.
    assert words == ["SET", "BEGIN", "SET", "SELECT", "COMMIT"]


@pytest.mark.usefixtures("in_one_minute")
@pytest.mark.django_db(transaction=True)
def test_redis_is_called_by_those_who_call_often(
    courier_api: APIClient, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(courier_api, json.dumps([item(parcel)]).encode())
    commands: list[list[bytes]] = []
    send = AbstractConnection.send_packed_command

    def counted(self: AbstractConnection, command: list[bytes], *args: Any, **options: Any) -> Any:
        commands.append(command)
        return send(self, command, *args, **options)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
    throttling.forget()
    for hours, most_pending in ((2, 16), (3, 16), (4, 1)):
        monkeypatch.setattr(throttling, "MOST_PENDING", most_pending)
        assert post(courier_api, json.dumps([item(parcel, "departed", hours)]).encode()).status_code == 200
        counting = [command for command in commands if b"INCRBY" in b"".join(command)]
        assert len(counting) == (1 if most_pending == 1 else 0)
