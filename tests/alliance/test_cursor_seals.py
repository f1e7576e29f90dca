"""Seals of cursors: each opens only for the list, order, filters and organisation it was made for."""

from dataclasses import replace

import pytest

from alliance.cursor_seals import Seal
from alliance.tenancy import Actor

ACTOR = Actor(kind="user", user_id=1, organisation_id=7)
FILTERS = {"status": ["lost", "exception"], "late": ["true"]}


def test_a_seal_opens_what_it_closed() -> None:
    seal = Seal.of(ACTOR, "parcels", FILTERS, "-booked")
    assert seal.open(seal.close("a~b|c")) == "a~b|c"
    assert seal.close("") == ""
    # In any order, by any of the organisation's people and keys; empty filters are none.
    same = {"late": ["true"], "status": ["exception", "lost"], "tier": [""]}
    assert Seal.of(replace(ACTOR, user_id=2), "parcels", same, "-booked") == seal


@pytest.mark.parametrize(
    "other",
    [
        Seal.of(ACTOR, "watch list", FILTERS, "-booked"),
        Seal.of(ACTOR, "parcels", FILTERS, "booked"),
        Seal.of(ACTOR, "parcels", {"late": ["true"]}, "-booked"),
        Seal.of(replace(ACTOR, organisation_id=8), "parcels", FILTERS, "-booked"),
        Seal.of(replace(ACTOR, organisation_id=None), "parcels", FILTERS, "-booked"),
    ],
)
def test_a_seal_opens_nothing_of_another_list(other: Seal) -> None:
    assert other.open(Seal.of(ACTOR, "parcels", FILTERS, "-booked").close("7")) is None


@pytest.mark.parametrize(
    "text", ["", "7", "~", "7~", "~abc", "7~abcdefabcdef", "8~{mark}", "7~{mark}0", "é~\0"]
)
def test_a_seal_opens_nothing_forged(text: str) -> None:
    seal = Seal.of(ACTOR, "parcels", FILTERS)
    assert seal.open(text.replace("{mark}", seal.mark("7"))) is None
