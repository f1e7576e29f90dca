"""Checks of scorecard rules: every invalid value is reported with its pointer."""

from typing import Any

import pytest

from slas.scorecards.checks import problems
from tests.slas.helpers.scorecard_cases import SEED, stored


def found(**changes: Any) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.code) for problem in problems(**stored(**changes))]


def test_the_first_rules_are_fine() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        # weights
        ({"weights": SEED.WEIGHTS | {"lateness": 14}}, "/weights", "sum"),
        ({"weights": SEED.WEIGHTS | {"lateness": 16}}, "/weights", "sum"),
        ({"weights": SEED.WEIGHTS | {"lateness": -15}}, "/weights/lateness", "range"),
        ({"weights": SEED.WEIGHTS | {"lateness": 101}}, "/weights/lateness", "range"),
        ({"weights": SEED.WEIGHTS | {"lateness": 15.0}}, "/weights/lateness", "range"),
        ({"weights": SEED.WEIGHTS | {"lateness": True}}, "/weights/lateness", "range"),
        ({"weights": SEED.WEIGHTS | {"lateness": None}}, "/weights/lateness", "range"),
        ({"weights": SEED.WEIGHTS | {"smiles": 0}}, "/weights/smiles", "unknown"),
        # bands
        ({"bands": SEED.BANDS | {"smiles": [[0.9, 100]]}}, "/bands/smiles", "unknown"),
        ({"bands": SEED.BANDS | {"first_attempt": []}}, "/bands/first_attempt", "count"),
        (
            {"bands": SEED.BANDS | {"first_attempt": [[1 - n / 100, 99 - n] for n in range(13)]}},
            "/bands/first_attempt",
            "count",
        ),
        ({"bands": SEED.BANDS | {"first_attempt": [[1.01, 100]]}}, "/bands/first_attempt", "range"),
        ({"bands": SEED.BANDS | {"first_attempt": [[0.9, 101]]}}, "/bands/first_attempt", "range"),
        (
            {"bands": SEED.BANDS | {"first_attempt": [[0.9, 100], [0.95, 50]]}},
            "/bands/first_attempt",
            "order",
        ),
        ({"bands": SEED.BANDS | {"first_attempt": [[0.9, 100], [0.9, 50]]}}, "/bands/first_attempt", "order"),
        ({"bands": SEED.BANDS | {"first_attempt": [[0.9, 50], [0.8, 50]]}}, "/bands/first_attempt", "order"),
        ({"bands": SEED.BANDS | {"first_attempt": [[0.9, 50], [0.8, 60]]}}, "/bands/first_attempt", "order"),
        # Lower is better: the shares rise.
        ({"bands": SEED.BANDS | {"lateness": [[0.05, 100], [0.01, 50]]}}, "/bands/lateness", "order"),
        # grades
        ({"grades": {"gold": 90, "silver": 80}}, "/grades/member", "range"),
        ({"grades": {"gold": 90, "silver": 90, "member": 60}}, "/grades/silver", "order"),
        ({"grades": {"gold": 90, "silver": 70, "member": 80}}, "/grades/member", "order"),
        ({"grades": {"gold": 101, "silver": 80, "member": 60}}, "/grades/gold", "range"),
        ({"grades": SEED.GRADES | {"platinum": 99}}, "/grades/platinum", "unknown"),
        ({"grades": SEED.GRADES | {"probation": 10}}, "/grades/probation", "unknown"),
        # volume
        ({"minimum_volume": 0}, "/minimum_volume", "range"),
        ({"minimum_volume": 1_000_001}, "/minimum_volume", "range"),
    ],
)
def test_problems_have_pointers(changes: dict[str, Any], pointer: str, code: str) -> None:
    assert (pointer, code) in found(**changes)


def test_missing_component_is_a_problem() -> None:
    weights = {name: weight for name, weight in SEED.WEIGHTS.items() if name != "lateness"}
    bands = {name: rows for name, rows in SEED.BANDS.items() if name != "lateness"}
    assert found(weights=weights, bands=bands) == [
        ("/weights/lateness", "range"),
        ("/bands/lateness", "count"),
    ]


def test_all_problems_are_reported_together() -> None:
    wrong = found(
        weights=SEED.WEIGHTS | {"lateness": 0},
        bands=SEED.BANDS | {"lateness": []},
        grades={"gold": 10, "silver": 20, "member": 30},
        minimum_volume=0,
    )
    assert [pointer for pointer, _code in wrong] == [
        "/weights", "/bands/lateness", "/grades/silver", "/grades/member", "/minimum_volume"
    ]  # fmt: skip


def test_messages_name_the_correction() -> None:
    [error] = problems(**stored(weights=SEED.WEIGHTS | {"lateness": 10}))
    assert error.message == "The weights add up to 95, not to 100."
    [error] = problems(**stored(grades={"gold": 80, "silver": 80, "member": 60}))
    assert error.message == "Must be below Gold, which needs 80."
