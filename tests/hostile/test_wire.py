"""HTTP itself, spoken badly: bodies cut off, too long, in chunks or drop by drop."""

import json

import pytest

from tests.hostile.target import MULTIPART, Target

pytestmark = pytest.mark.django_db
SCANS = "/api/v1/scans"
CHUNKED = "Transfer-Encoding: chunked"
MEGABYTE = b"100000\r\n" + b" " * 2**20 + b"\r\n"


def batch(target: Target, event: str) -> bytes:
    return json.dumps([target.scan(event_id=event)]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def status_of(heard: bytes) -> int:
    assert heard.startswith(b"HTTP/1.1 "), heard[:200]
    return int(heard.split(b" ", 2)[1])


def test_body_in_chunks_is_read_like_any_other(target: Target) -> None:
    body = batch(target, "chunks")
    heard = target.say(target.head(SCANS, CHUNKED), chunk(body[:9]), chunk(body[9:]), b"0\r\n\r\n")
    assert status_of(heard) == 200
    assert b'"accepted":1' in heard


@pytest.mark.parametrize(
    ("what", "line", "pieces", "status"),
    [
        ("50 MB in chunks", CHUNKED, [MEGABYTE] * 50 + [b"0\r\n\r\n"], 413),
        ("chunks of no length", CHUNKED, [b"zz\r\n[]\r\n0\r\n\r\n"], 400),
        ("chunks cut off", CHUNKED, [b"fff\r\n[]"], 400),
        ("length of less than nothing", "Content-Length: -5", [b"[]"], 400),
        ("length in words", "Content-Length: many", [b"[]"], 400),
        ("length and chunks", f"Content-Length: 2\r\n{CHUNKED}", [b"0\r\n\r\n"], 400),
        ("two lengths", "Content-Length: 2\r\nContent-Length: 3", [b"[]"], 400),
        ("an encoding of the future", "Transfer-Encoding: brotli, chunked", [b"0\r\n\r\n"], 501),
    ],
)
def test_framing_that_is_wrong_is_refused(
    target: Target, what: str, line: str, pieces: list[bytes], status: int
) -> None:
    assert status_of(target.say(target.head(SCANS, line), *pieces, hang_up=True)) == status


def test_address_that_is_too_long_is_a_problem_document(target: Target) -> None:
    heard = target.say(target.head(f"{SCANS}?{'x' * 5_000}", "Content-Length: 0"), hang_up=True)
    assert status_of(heard) == 414
    assert b"Content-Type: application/problem+json" in heard
    problem = json.loads(heard.partition(b"\r\n\r\n")[2])
    assert (problem["type"], problem["status"]) == ("urn:alliance:problem:address_too_long", 414)


def test_nothing_is_taken_of_a_body_that_is_cut_off(target: Target) -> None:
    """Its first lines would be whole, in NDJSON; whoever sent them does not know it."""
    line = json.dumps(target.scan(event_id="cut off")).encode() + b"\n"
    head = target.head(SCANS, f"Content-Length: {len(line) + 100}").replace(b"/json", b"/x-ndjson")
    heard = target.say(head, line, hang_up=True)
    assert status_of(heard) == 400
    assert b"problem:cut_off" in heard
    again = target.scans(line, Content_Type="application/x-ndjson")
    assert again.json["accepted"] == 1


def test_body_shorter_than_sent_is_what_was_announced(target: Target) -> None:
    body = batch(target, "short")
    heard = target.say(target.head(SCANS, "Content-Length: 5"), body)
    assert status_of(heard) == 400


def test_body_that_drips_is_cut_off(target: Target) -> None:
    """The tests' server waits a second; a byte now and then does not make it wait longer."""
    head = target.head(SCANS, "Content-Length: 5000")
    for heard in (target.say(head, *[b" "] * 30, pause=0.1), target.say(head)):
        assert status_of(heard) == 408
        assert b"problem:too_slow" in heard


def test_head_that_drips_is_hung_up_on(target: Target) -> None:
    assert target.say(f"POST {SCANS} HTTP/1.1\r\n".encode(), *[b"X"] * 30, pause=0.1) == b""


def test_clients_that_drip_leave_room_for_others(target: Target) -> None:
    heads = [target.head(SCANS, "Content-Length: 5000") for _client in range(10)]
    with target.open(*heads):
        assert target.send("GET", f"/api/v1/tracking/{target.number}").status == 200


def test_many_slow_heads_leave_room_for_others(target: Target) -> None:
    with target.open(*[b"GET / HTTP/1.1\r\nX: "] * 200):
        assert target.send("GET", f"/api/v1/tracking/{target.number}").status == 200


def test_many_slow_small_bodies_leave_room_for_others(target: Target) -> None:
    length = f"Content-Length: {900 * 1024}"
    form = target.head(SCANS, length).replace(b"/json", b"/x-www-form-urlencoded")
    chunks = target.head(SCANS, CHUNKED).replace(b"/json", b"/x-www-form-urlencoded")
    with target.open(*[form + b"a=" * 1000] * 50, *[chunks + b"5\r\nhe"] * 50):
        assert target.send("GET", f"/api/v1/tracking/{target.number}").status == 200


def test_clients_that_do_not_hang_up_leave_room_for_others(target: Target) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with target.open(*[request] * 60):
        for _request in range(5):
            assert target.send("GET", f"/api/v1/tracking/{target.number}").status == 200


def test_requests_sent_before_the_response_to_another_are_all_answered(target: Target) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: %s\r\n\r\n" % (b"x" * 3000)
    last = request.replace(b"X:", b"Connection: close\r\nX:")
    assert target.say(request * 9 + last).count(b"200 OK") == 10


def test_connection_is_kept_after_a_body_that_nobody_read(target: Target) -> None:
    """As an upload that found no space; it was closed after an answer that said it would be kept."""
    line = f"Content-Type: {MULTIPART}\r\nContent-Length: {3 * 2**20}"
    refused = f"POST /nothing/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{line}\r\n\r\n".encode()
    last = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    heard = target.say(refused, b"x" * 3 * 2**20, last)
    assert heard.count(b"HTTP/1.1 ") == 2
    assert heard.endswith(b"ok\n")
