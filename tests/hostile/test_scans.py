"""POST /api/v1/scans against whatever a program, or somebody who means harm, may send.

A bad line is rejected with its index and its neighbour is taken, in an array and line by line; what is no
batch at all is a problem document of the 400s.
"""

import gzip
import itertools
import json
from typing import Any

import pytest

from tests.hostile.target import Answer, Target

pytestmark = pytest.mark.django_db
HUGE = 1_000_000
_numbers = itertools.count()

# What is wrong, the fields that are (`...`: left out), where the answer points, and its code.
LINES: list[tuple[str, dict[str, Any], str, str]] = [
    ("no number", {"tracking_number": ...}, "/0/tracking_number", "invalid"),
    ("null for a number", {"tracking_number": None}, "/0/tracking_number", "invalid"),
    ("an integer for a number", {"tracking_number": 17}, "/0/tracking_number", "invalid"),
    ("a huge integer", {"tracking_number": 10**4000}, "/0/tracking_number", "invalid"),
    ("an object for a number", {"tracking_number": {}}, "/0/tracking_number", "invalid"),
    (
        "no such number",
        {"tracking_number": "CA0AV8Q2M4K7YX3NR5"},
        "/0/tracking_number",
        "bad_tracking_number",
    ),
    ("NUL in the number", {"tracking_number": "\0"}, "/0/tracking_number", "bad_tracking_number"),
    ("1 MB of number", {"tracking_number": "C" * HUGE}, "/0/tracking_number", "bad_tracking_number"),
    (
        "500 levels deep",
        {"tracking_number": json.loads("[" * 500 + "]" * 500)},
        "/0/tracking_number",
        "invalid",
    ),
    ("unknown code", {"code": "teleported"}, "/0/code", "unknown_code"),
    ("NUL in the code", {"code": "departed\0"}, "/0/code", "unknown_code"),
    ("1 MB of code", {"code": "x" * HUGE}, "/0/code", "unknown_code"),
    ("true for a code", {"code": True}, "/0/code", "invalid"),
    ("time without zone", {"occurred_at": "2026-11-20T10:00:00"}, "/0/occurred_at", "invalid"),
    ("no time of day", {"occurred_at": "2026-11-20"}, "/0/occurred_at", "invalid"),
    ("seconds since 1970", {"occurred_at": 1763600000}, "/0/occurred_at", "invalid"),
    ("1970", {"occurred_at": "1970-01-01T00:00:00Z"}, "/0/occurred_at", "before_booking"),
    ("year 1", {"occurred_at": "0001-01-01T00:00:00+23:59"}, "/0/occurred_at", "before_booking"),
    ("2100", {"occurred_at": "2100-01-01T00:00:00Z"}, "/0/occurred_at", "in_future"),
    ("9999", {"occurred_at": "9999-12-31T23:59:59-23:59"}, "/0/occurred_at", "in_future"),
    ("10000", {"occurred_at": "10000-01-01T00:00:00Z"}, "/0/occurred_at", "invalid"),
    ("leap second", {"occurred_at": "2016-12-31T23:59:60Z"}, "/0/occurred_at", "invalid"),
    ("30 February", {"occurred_at": "2026-02-30T10:00:00Z"}, "/0/occurred_at", "invalid"),
    ("offset with seconds", {"occurred_at": "2026-11-20T10:00:00+08:00:30"}, "/0/occurred_at", "invalid"),
    ("offset of a day", {"occurred_at": "2026-11-20T10:00:00-24:00"}, "/0/occurred_at", "invalid"),
    ("event id with NUL", {"event_id": "a\0b"}, "/0/event_id", "invalid"),
    ("event id of 65", {"event_id": "x" * 65}, "/0/event_id", "invalid"),
    ("1 MB of event id", {"event_id": "x" * HUGE}, "/0/event_id", "invalid"),
    ("facility with NUL", {"facility": "\0"}, "/0/facility", "invalid"),
    ("1 MB of facility", {"facility": "x" * HUGE}, "/0/facility", "invalid"),
    ("a list for a facility", {"facility": []}, "/0/facility", "invalid"),
    ("unknown reason", {"code": "held", "reason": "aliens"}, "/0/reason", "unknown_reason"),
    ("1 MB of reason", {"code": "held", "reason": "x" * HUGE}, "/0/reason", "unknown_reason"),
    ("held without a reason", {"code": "held"}, "/0/reason", "reason_required"),
    ("consent in words", {"consent": "yes"}, "/0/consent", "invalid"),
    ("correction of nothing", {"code": "correction"}, "/0/corrects", "corrects_missing"),
    ("corrects, and is none", {"corrects": "e1"}, "/0/corrects", "invalid"),
    ("corrects a number", {"code": "correction", "corrects": 5}, "/0/corrects", "invalid"),
    ("a misspelt field", {"consnet": True}, "/0/consnet", "unknown_field"),
    ("a field of 1 MB", {"x" * HUGE: 1}, f"/0/{'x' * 64}", "unknown_field"),
    ("a field with signs of pointers", {"a/b~c`d": 1}, "/0/a~1b~0c`d", "unknown_field"),
    (
        "a misspelt field of what is corrected",
        {"code": "correction", "corrects": {"code": "departed", "occured_at": "2026-11-20T10:00:00Z"}},
        "/0/corrects/occured_at",
        "unknown_field",
    ),
    ("corrects 1 MB", {"code": "correction", "corrects": "x" * HUGE}, "/0/corrects", "invalid"),
]

# Lines that are no JSON, or nothing JSON should be: as they are sent, and where the answer points.
RAW_LINES: list[tuple[str, bytes, str]] = [
    ("null", b"null", "/0"),
    ("true", b"true", "/0"),
    ("text", b'"scan"', "/0"),
    ("an array", b"[]", "/0"),
    ("minus nought", b'{"tracking_number": -0}', "/0/tracking_number"),
    ("1e400", b'{"tracking_number": 1e400}', "/0/tracking_number"),
    ("5,000 digits", b'{"tracking_number": ' + b"9" * 5000 + b"}", "/0/tracking_number"),
    ("half a surrogate pair", b'{"tracking_number": "\\ud800"}', "/0"),
    ("the other half", b'{"event_id": "\\udc00\\ud800"}', "/0"),
    ("half a pair for a name", b'{"\\ud800": 1}', "/0"),
    ("bytes that are no UTF-8", b'{"event_id": "\xff\xfe"}', "/0"),
]
# The same, but of a kind after which nobody can tell where the next element of an array begins.
BROKEN_LINES: list[tuple[str, bytes]] = [
    ("truncated", b'{"tracking_number": "CA'),
    ("NaN", b'{"tracking_number": NaN}'),
    ("Infinity", b'{"tracking_number": -Infinity}'),
    ("single quotes", b"{'code': 'departed'}"),
    ("a NUL byte", b'{"event_id": "\0"}'),
    ("50,000 levels deep", b"[" * 50_000 + b"]" * 50_000),
]

# Whole bodies: what they are, the bytes, the status, and the problem's code.
BODIES: list[tuple[str, bytes, int, str]] = [
    ("nothing", b"", 400, "malformed"),
    ("null", b"null", 400, "malformed"),
    ("a number", b"17", 400, "malformed"),
    ("text", b'"scans"', 400, "malformed"),
    ("an empty object", b"{}", 400, "malformed"),
    ("a field beside the scans", b'{"scans": [], "dry_run": true}', 422, "invalid"),
    ("an empty array", b"[]", 422, "invalid"),
    ("no scans", b'{"scans": []}', 422, "invalid"),
    ("bookings", b'{"parcels": []}', 400, "malformed"),
    ("truncated", b'[{"tracking_number": "CA', 400, "malformed"),
    ("5,001 scans", b"[" + b"{}," * 5_000 + b"{}]", 413, "too_many_scans"),
    ("100,000 brackets", b"[" * 100_000, 400, "malformed"),
    ("50,000 objects deep", b'{"scans":' * 50_000, 400, "malformed"),
    ("UTF-16", "[]".encode("utf-16"), 400, "malformed"),
    ("not UTF-8", b"\xff\xfe", 400, "malformed"),
    ("5 MB", b" " * 5_000_000, 413, "too_large"),
    ("50 MB", b" " * 50_000_000, 413, "too_large"),
    ("a million halves of pairs", b'["' + b"\\ud800" * 600_000 + b'"]', 400, "malformed"),
]


def good(target: Target) -> bytes:
    """A scan that is always new."""
    return json.dumps(target.scan(event_id=f"good-{next(_numbers)}")).encode()


def assert_refused(answer: Answer, pointer: str, code: str = "invalid") -> None:
    """The first line is refused, and the second one taken."""
    assert answer.status == 200, answer.body[:300]
    said = answer.json
    assert (said["accepted"], said["rejected"]) == (1, 1), said
    [rejection] = said["rejections"]
    assert (rejection["index"], rejection["pointer"], rejection["code"]) == (0, pointer, code)
    assert rejection["detail"]
    assert len(answer.body) < 1000


@pytest.mark.parametrize(
    ("fields", "pointer", "code"), [line[1:] for line in LINES], ids=[line[0] for line in LINES]
)
def test_bad_line_is_rejected_and_its_neighbour_taken(
    target: Target, fields: dict[str, Any], pointer: str, code: str
) -> None:
    bad = json.dumps(target.scan(**fields)).encode()
    assert_refused(target.scans(b"[" + bad + b"," + good(target) + b"]"), pointer, code)
    lines = bad + b"\n" + good(target)
    assert_refused(target.scans(lines, Content_Type="application/x-ndjson"), pointer, code)


@pytest.mark.parametrize(
    ("bad", "pointer"), [line[1:] for line in RAW_LINES], ids=[line[0] for line in RAW_LINES]
)
def test_line_that_is_no_scan_is_rejected_and_its_neighbour_taken(
    target: Target, bad: bytes, pointer: str
) -> None:
    assert_refused(target.scans(b"[" + bad + b"," + good(target) + b"]"), pointer)
    assert_refused(target.scans(b'{"scans": [' + bad + b"," + good(target) + b"]}"), pointer)
    answer = target.scans(bad + b"\n" + good(target), Content_Type="application/x-ndjson")
    assert_refused(answer, pointer)


@pytest.mark.parametrize("bad", [line[1] for line in BROKEN_LINES], ids=[line[0] for line in BROKEN_LINES])
def test_broken_line_costs_the_array_or_only_itself(target: Target, bad: bytes) -> None:
    whole = target.scans(b"[" + bad + b"," + good(target) + b"]")
    assert (whole.status, whole.is_problem) == (400, True)
    assert_refused(target.scans(bad + b"\n" + good(target), Content_Type="application/x-ndjson"), "/0")


@pytest.mark.parametrize(
    ("body", "status", "code"), [body[1:] for body in BODIES], ids=[body[0] for body in BODIES]
)
def test_body_that_is_no_batch_is_a_problem(target: Target, body: bytes, status: int, code: str) -> None:
    answer = target.scans(body)
    assert (answer.status, answer.is_problem) == (status, True), answer.body[:300]
    assert answer.json["type"] == f"urn:alliance:problem:{code}"


def test_parcel_of_another_courier_is_unknown(target: Target) -> None:
    bad = json.dumps(target.scan(tracking_number=target.foreign)).encode()
    answer = target.scans(b"[" + bad + b"," + good(target) + b"]")
    assert_refused(answer, "/0/tracking_number", "unknown_parcel")


def test_the_last_of_two_equal_names_counts(target: Target) -> None:
    twice = b'{"tracking_number": "nonsense",' + good(target)[1:]
    assert target.scans(b"[" + twice + b"]").json["accepted"] == 1


def test_names_we_do_not_know_cost_their_line(target: Target) -> None:
    extra = b'{"\\u202e": [[[]]], "x": 1e400,' + good(target)[1:]
    answer = target.scans(b"[" + extra + b"," + good(target) + b"]")
    assert_refused(answer, "/0/\u202e", "unknown_field")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "text/csv", "multipart/form-data; boundary=x"]
    + ["application/x-www-form-urlencoded"],
)
def test_content_that_is_said_to_be_no_json_is_not_read(target: Target, content_type: str) -> None:
    answer = target.scans(b"[" + good(target) + b"]", Content_Type=content_type)
    assert (answer.status, answer.is_problem) == (415, True)


@pytest.mark.parametrize(
    ("packed", "status"),
    [
        (gzip.compress(b" " * 200_000_000, compresslevel=1), 413),
        (gzip.compress(b"[]" * 1000)[:-9], 400),
        (b"no gzip", 400),
        (b"", 400),
    ],
    ids=["a bomb of 200 MB", "cut off", "no gzip", "nothing"],
)
def test_gzip_that_is_none_or_too_much(target: Target, packed: bytes, status: int) -> None:
    answer = target.scans(packed, Content_Encoding="gzip")
    assert (answer.status, answer.is_problem) == (status, True)
