"""What clients of the drill sent is told apart by the named second and the disaster."""

import json
from pathlib import Path
from typing import Any

from drills.restored import Calls

MOMENT, DISASTER = 100.0, 110.0


def journal(folder: Path, *notes: dict[str, Any]) -> None:
    (folder / "shopper-1.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))


def test_calls_are_kept_lost_or_open(tmp_path: Path) -> None:
    journal(
        tmp_path,
        {"send": "before", "at": 98.0},
        {"done": "before", "at": 99.9, "answer": {"results": []}},
        {"send": "across", "at": 99.0},
        {"done": "across", "at": 100.1, "answer": {}},
        {"send": "unanswered", "at": 99.5},
        {"send": "after", "at": 100.1},
        {"done": "after", "at": 100.2, "answer": {}},
        {"send": "cut off", "at": 109.9},
        {"send": "since", "at": 120.0},
        {"done": "since", "at": 121.0, "answer": {}},
    )
    calls = Calls.read(tmp_path, moment=MOMENT, disaster=DISASTER)
    assert [call["send"] for call in calls.kept] == ["before", "since"]
    assert [call["send"] for call in calls.open] == ["across", "unanswered"]
    assert [call["send"] for call in calls.lost] == ["after", "cut off"]
    assert [call["is_after"] for call in calls.kept] == [False, True]


def test_failures_of_the_disaster_itself_are_none(tmp_path: Path) -> None:
    journal(tmp_path, {"failed": "503 without Retry-After", "at": 99.0}, {"failed": "no answer", "at": 111.0})
    assert Calls.read(tmp_path, moment=MOMENT, disaster=DISASTER).failed == ["503 without Retry-After"]
