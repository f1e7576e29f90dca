"""Homes: the hash is PostgreSQL's, and new ids are drawn evenly among the allowed ones of some homes."""

import random
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from alliance import homes
from alliance.homes import ALL_HOMES, HOMES, draw_parcel_ids, hash_of, home_of, homes_of
from alliance.identifiers import (
    MAX_ID,
    RANDOM_BITS,
    drawing_from,
    is_allowed,
    moment_of,
    new_parcel_id,
    parcel_id_at,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EDGES = [0, 1, -1, MAX_ID, -MAX_ID - 1, 2**32, -(2**32), 2**31, -(2**31), 2**32 - 1]


def some_ids(count: int) -> list[int]:
    source = random.Random(14)
    made = [new_parcel_id(NOON, random_bits=source.getrandbits(RANDOM_BITS)) for _ in range(count // 2)]
    return made + [source.getrandbits(64) - 2**63 for _ in range(count // 2)] + EDGES


@pytest.mark.django_db
def test_hashes_and_homes_are_those_of_the_server() -> None:
    ids = some_ids(10_000)
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(hashint8(id) ORDER BY place) FROM unnest(%s::bigint[])"
                       " WITH ORDINALITY AS w(id, place)", [ids])  # fmt: skip
        [hashes] = cursor.fetchone()
    assert [hash_of(parcel_id) for parcel_id in ids] == hashes
    expected = [(each + 2**31) >> 26 for each in hashes]
    assert [home_of(parcel_id) for parcel_id in ids] == homes_of(ids) == expected
    # Few are worked out one by one.
    assert homes_of(ids[:5]) == expected[:5]


@given(st.integers(1, 400), st.sets(st.sampled_from(ALL_HOMES), min_size=1), st.integers(0, 2**32))
def test_ids_drawn_are_different_allowed_and_of_the_homes(count, wanted, seed) -> None:
    with drawing_from(random.Random(seed).getrandbits):
        ids = draw_parcel_ids(NOON, count, homes=wanted)
    assert len({*ids}) == count
    assert {home_of(parcel_id) for parcel_id in ids} <= wanted
    assert all(is_allowed(parcel_id) and moment_of(parcel_id) == NOON for parcel_id in ids)


@pytest.mark.parametrize("count", [1, 1_000])
def test_every_allowed_id_of_the_homes_is_equally_likely(count: int) -> None:
    """Chi-squared over what could be lopsided: homes, and the upper and lower bits within them."""
    source = random.Random(5)
    with drawing_from(source.getrandbits):
        ids = [
            parcel_id
            for _ in range(8_000 // count)
            for parcel_id in draw_parcel_ids(NOON, count, homes=(3, 40))
        ]
    by_home = Counter(home_of(parcel_id) for parcel_id in ids)
    assert by_home.keys() == {3, 40}
    for bins, buckets in (
        (by_home, 2),
        (Counter(parcel_id >> RANDOM_BITS - 4 & 15 for parcel_id in ids), 16),
        (Counter(parcel_id & 15 for parcel_id in ids), 16),
    ):
        mean = len(ids) / buckets
        # Beyond 45, one run in ten thousand with 15 degrees of freedom; the seed makes it one run.
        assert sum((bins[key] - mean) ** 2 / mean for key in bins) < 45
        assert len(bins) == buckets


def test_the_same_bits_draw_the_same_ids() -> None:
    drawn = []
    for _ in range(2):
        with drawing_from(random.Random(1).getrandbits):
            drawn.append(draw_parcel_ids(NOON, 500, homes=(9,)) + draw_parcel_ids(NOON, 1, homes=(9,)))
    assert drawn[0] == drawn[1]


def test_ids_in_use_are_not_drawn_again() -> None:
    # The only allowed ids of one home among the first thousands of a millisecond, all but one in use.
    start = parcel_id_at(NOON)
    few = [start + bits for bits in range(2_000) if home_of(start + bits) == 7 and is_allowed(start + bits)]
    source = random.Random(2)
    with drawing_from(lambda bits: _words(source, bits // 32, below=2_000)):
        assert draw_parcel_ids(NOON, 1, homes=(7,), used={*few[1:]}) == few[:1]


def test_a_crowded_millisecond_has_ids_left_and_an_impossible_one_is_refused() -> None:
    ids = draw_parcel_ids(NOON, 15_000, homes=(63,))
    assert len({*ids}) == 15_000
    assert {*homes_of(ids)} == {63}
    more = draw_parcel_ids(NOON, 1_000, homes=(63,), used={*ids})
    assert not {*more} & {*ids}
    with pytest.raises(ValueError, match="too many for 1 of 64 homes"):
        draw_parcel_ids(NOON, 60_000, homes=(63,))
    with pytest.raises(ValueError, match="too many for 1 of 64 homes"):
        draw_parcel_ids(NOON, 1_000, homes=(63,), used={*ids, *more})


@pytest.mark.parametrize("wanted", [(), (64,), (-1, 3)])
def test_homes_that_are_none_are_refused(wanted: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"from 0 to {HOMES - 1}"):
        draw_parcel_ids(NOON, 1, homes=wanted)


def test_a_single_id_takes_no_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    homes._numpy.cache_clear()
    monkeypatch.setitem(sys.modules, "numpy", None)
    [parcel_id] = draw_parcel_ids(NOON, 1, homes=(12,))
    assert home_of(parcel_id) == 12
    with pytest.raises(ModuleNotFoundError):
        draw_parcel_ids(NOON, 1_000, homes=(12,))


def _words(source: random.Random, count: int, *, below: int) -> int:
    words = b"".join(source.randrange(below).to_bytes(4, sys.byteorder) for _ in range(count))
    return int.from_bytes(words, "little")
