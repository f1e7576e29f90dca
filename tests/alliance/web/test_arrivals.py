"""When a request has arrived so far that a thread can begin with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.web.arrivals import WHOLE_BYTES, Arrival

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
NO_CHUNK = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("request_", [GET, POST, CHUNKS, NO_CHUNK, b"\r\n\r\n" + GET])
@given(cuts=st.lists(st.integers(0, 100), max_size=5))
def test_request_is_complete_with_its_last_byte_however_it_is_cut(request_: bytes, cuts: list[int]) -> None:
    arrival = Arrival()
    places = sorted({min(cut, len(request_) - 1) for cut in cuts})
    for begin, end in zip([0, *places], [*places, len(request_) - 1], strict=True):
        arrival.add(request_[begin:end])
        assert not arrival.is_complete
    arrival.add(request_[-1:])
    assert arrival.is_complete
    assert arrival.early == request_


def test_large_body_is_left_to_a_thread() -> None:
    arrival = Arrival()
    arrival.add(b"POST / HTTP/1.1\r\ncontent-length:  %d\r\nExpect: 100-continue\r\n\r\n" % WHOLE_BYTES)
    assert arrival.is_complete
    assert not arrival.expects_continue


@pytest.mark.parametrize("head", [b"", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_what_never_ends_is_left_to_a_thread(head: bytes) -> None:
    arrival = Arrival()
    arrival.add(head)
    arrival.add(b"x" * (WHOLE_BYTES - 1))
    assert not arrival.is_complete
    arrival.add(b"x" * 1)
    assert arrival.is_complete


def test_client_that_waits_for_leave_to_send_gets_it() -> None:
    arrival = Arrival()
    arrival.add(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert arrival.expects_continue
    assert not arrival.is_complete


def test_bytes_that_the_parser_has_are_not_given_to_it_again() -> None:
    arrival = Arrival(GET[:20])
    arrival.add(GET[20:])
    assert arrival.is_complete
    assert arrival.early == GET[20:]
    assert Arrival(GET).is_complete


@pytest.mark.parametrize(("path", "is_check"), [("/healthz", True), ("/readyz", True), ("/track/x/", False)])
def test_health_checks_are_known(path: str, is_check: bool) -> None:
    arrival = Arrival()
    arrival.add(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    assert arrival.is_health_check is is_check
