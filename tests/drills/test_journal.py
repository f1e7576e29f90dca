"""The drills' own judgement: what was acknowledged and is not there, or is there twice, is found."""

from typing import Any

from alliance.identifiers import tracking_number
from drills.journal import audit, complaints, longest_pause

PARCEL = 4_611_686_018_427_387_904


def booking(key: str, *references: str) -> dict[str, Any]:
    return {"send": key, "items": [{"reference": reference} for reference in references]}


def scan(key: str, *events: str) -> dict[str, Any]:
    items = [{"tracking_number": tracking_number(PARCEL), "event_id": event} for event in events]
    return {"send": key, "items": items}


def done(key: str) -> dict[str, Any]:
    return {"done": key, "answer": {}}


def call(at: float = 10.0, **given: Any) -> dict[str, Any]:
    usual = {"seconds": 0.1, "writes": True, "path": "/api/v1/scans", "status": 200, "retry_after": None}
    return {**usual, "at": at, **given}


def test_what_was_acknowledged_is_there_once() -> None:
    notes = [booking("a", "A1", "A2"), done("a"), scan("b", "e1"), done("b")]
    found = audit(notes, parcels={"A1": 1, "A2": 1}, scans={(PARCEL, "e1"): 1})
    assert (found.acknowledged, found.lost, found.doubled) == (3, [], [])


def test_lost_acknowledgements_are_found() -> None:
    notes = [booking("a", "A1", "A2"), done("a"), scan("b", "e1"), done("b")]
    found = audit(notes, parcels={"A1": 1}, scans={})
    assert len(found.lost) == 2
    assert found.lost[0] == "A2 was acknowledged and is not there"


def test_doubled_bookings_and_scans_are_found_acknowledged_or_not() -> None:
    notes = [booking("a", "A1"), done("a"), scan("b", "e1")]
    found = audit(notes, parcels={"A1": 2}, scans={(PARCEL, "e1"): 2})
    assert len(found.doubled) == 2
    assert found.lost == []


def test_what_was_not_acknowledged_may_be_there_or_not() -> None:
    found = audit([booking("a", "A1"), booking("b", "B1")], parcels={"A1": 1}, scans={})
    assert (found.acknowledged, found.lost, found.doubled) == (0, [], [])


def test_answers_are_503_with_a_time_or_what_was_asked_for() -> None:
    fine = [call(), call(status=404), call(status=503, retry_after="3"), call(status=429, retry_after="3")]
    assert list(complaints(fine)) == []
    wrong = [
        call(status=500),
        call(status=502),
        call(status=0),
        call(status=-1),
        call(status=503),
        call(seconds=40.0),
    ]
    assert len(list(complaints(wrong))) == len(wrong)


def test_pause_is_the_longest_time_without_an_acknowledged_write() -> None:
    calls = [call(1), call(2), call(4, status=503), call(6, writes=False), call(9), call(10)]
    assert longest_pause(calls, since=1.5, until=10.5) == 7
    assert longest_pause([], since=0, until=5) == 5
