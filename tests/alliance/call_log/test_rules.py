"""What of a call the log keeps."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.call_log.rules import (
    MASKED,
    RANDOM_BITS,
    first_id,
    id_at,
    keeps_whole,
    masked_path,
    masked_problem,
    masked_text,
    moment_of,
)

NOON = datetime(2026, 12, 1, 12, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "query", "kept"),
    [
        ("/api/v1/parcels/CA7K2M9Q4X1", "", "/api/v1/parcels/CA7K2M9Q4X1"),
        (
            "/api/v1/parcels",
            "status=in_transit&page_size=50",
            "/api/v1/parcels?status=in_transit&page_size=50",
        ),
        ("/api/v1/recipients", "search=Wang", f"/api/v1/recipients?search={MASKED}"),
        ("/api/v1/recipients", "search=%E7%8E%8B", f"/api/v1/recipients?search={MASKED}"),
        ("/api/v1/tracking/13800001101", "", f"/api/v1/tracking/{MASKED}"),
        ("/api/v1/tracking/王小明", "", f"/api/v1/tracking/{MASKED}"),
        ("/api/v1/tracking/%E7%8E%8B", "", f"/api/v1/tracking/{MASKED}"),
        ("/api/v1/parcels", "王=1", f"/api/v1/parcels?{MASKED}={MASKED}"),
        # A code's place, and yet a phone.
        ("/api/v1/parcels", "status=13800001101", f"/api/v1/parcels?status={MASKED}"),
        ("/api/v1/parcels", "unmask=true&q=", f"/api/v1/parcels?unmask=true&q={MASKED}"),
    ],
)
def test_addresses_lose_what_may_be_about_a_person(path: str, query: str, kept: str) -> None:
    assert masked_path(path, query) == kept


@given(st.text(), st.text())
def test_any_address_fits(path: str, query: str) -> None:
    assert len(masked_path(f"/{path}", query)) <= 300


def test_a_problem_loses_what_it_quotes() -> None:
    body = {
        "type": "urn:alliance:problem:invalid",
        "title": "Some of the input is not valid",
        "status": 422,
        "detail": "“王小明” is no city, call 13800001101",
        "request_id": "abc",
        "available": {"recipient": "王小明"},
        "errors": [
            {"pointer": "/recipient/name", "detail": '"王小明" is not a valid choice.', "code": "invalid"},
            *({"pointer": f"/{place}", "detail": "x", "code": "required"} for place in range(60)),
        ],
    }
    code, kept = masked_problem(body)
    assert code == "invalid"
    assert kept is not None
    assert "王小明" not in str(kept)
    assert "13800001101" not in str(kept)
    assert kept["errors"][0]["pointer"] == "/recipient/name"
    assert (len(kept["errors"]), kept["errors_left_out"]) == (50, 11)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"type": "about:blank"}, {"type": 3}])
def test_what_is_no_problem_of_ours_is_none(body: object) -> None:
    assert masked_problem(body) == ("", None)


def test_numbers_in_sentences_are_masked() -> None:
    assert masked_text("Line 12 of 13800001101") == f"Line 12 of {MASKED}"


@pytest.mark.parametrize(
    ("status", "calls", "whole"),
    [
        (200, 0, True),
        (200, 60, True),
        (200, 61, False),
        (422, 900, True),
        (500, 900, True),
        (429, 1200, False),
    ],
)
def test_failures_are_kept_and_floods_are_sampled(status: int, calls: int, whole: bool) -> None:
    assert keeps_whole(status, calls) is whole


@given(st.integers(0, 2**RANDOM_BITS - 1))
def test_an_id_has_its_moment(bits: int) -> None:
    call_id = id_at(NOON, bits)
    assert moment_of(call_id) == NOON
    assert first_id(date(2026, 12, 1)) <= call_id < first_id(date(2026, 12, 2))
    assert id_at(NOON + timedelta(milliseconds=1)) > call_id


def test_ids_fit_for_another_hundred_years() -> None:
    assert id_at(datetime(2080, 1, 1, tzinfo=UTC), 2**RANDOM_BITS - 1) < 2**63
