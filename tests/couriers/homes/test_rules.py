"""How many homes a courier has, and which."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.homes import HOMES
from couriers.homes.rules import DAYS, LEAST_A_DAY, homes_needed, spread

# As much as fills all homes, and then some.
WEEK = 10 * HOMES * DAYS * LEAST_A_DAY


@pytest.mark.parametrize(
    ("share", "has", "homes"),
    [
        (0, 0, 1), (0, 5, 1), (0.001, 0, 1), (1 / 64, 0, 1), (0.05, 0, 4), (0.5, 0, 32), (1, 0, 64),
        # Up to a quarter more or less changes nothing; beyond that, it does.
        (0.05, 3, 3), (0.05, 2, 4), (0.045, 4, 4), (0.03, 3, 3), (0.02, 3, 2), (0.5, 39, 39), (0.5, 41, 32),
    ],
)  # fmt: skip
def test_homes_follow_the_share_of_the_traffic(share: float, has: int, homes: int) -> None:
    assert homes_needed(round(share * WEEK), WEEK, has=has) == homes


def test_little_traffic_is_one_home_whatever_its_share() -> None:
    assert homes_needed(100, 100, has=0) == 1
    assert homes_needed(3 * DAYS * LEAST_A_DAY, 3 * DAYS * LEAST_A_DAY, has=0) == 3


@given(
    st.lists(
        st.tuples(st.integers(0, WEEK), st.sets(st.integers(0, HOMES - 1), max_size=8)),
        min_size=1,
        max_size=100,
    )
)
def test_spreading_gives_everybody_homes_and_changes_nothing_the_second_time(
    couriers: list[tuple[int, set[int]]],
) -> None:
    parcels = {number: carried for number, (carried, _has) in enumerate(couriers)}
    plan, parts = spread(parcels, {number: has for number, (_carried, has) in enumerate(couriers)})
    assert plan.keys() == parts.keys() == parcels.keys()
    assert all(1 <= len(homes) <= HOMES and homes <= {*range(HOMES)} for homes in plan.values())
    assert spread(parcels, plan) == (plan, parts)


def test_homes_are_loaded_evenly() -> None:
    # Two large couriers, and two hundred of all sizes.
    parcels = {1: WEEK // 4, 2: WEEK // 10, **{number: WEEK // (3 * number) for number in range(100, 300)}}
    plan, parts = spread(parcels, dict.fromkeys(parcels, ()))
    load: Counter[int] = Counter()
    for courier, homes in plan.items():
        for home in homes:
            load[home] += parts[courier]
    assert sum(load.values()) == pytest.approx(1)
    assert max(load.values()) < 2 / HOMES
    assert len(load) == HOMES


def test_new_couriers_do_not_share_a_home_while_there_are_others() -> None:
    plan, _parts = spread({}, dict.fromkeys(range(HOMES), ()))
    given = [home for homes in plan.values() for home in homes]
    assert sorted(given) == [*range(HOMES)]
    # Of 32 shards of two homes, placed in turns: eight are in as many, four on each of two workers.
    shards = [home // 2 for home in given[:8]]
    assert len({*shards}) == 8
    assert sum(shard % 2 for shard in shards) == 4


def test_what_stays_is_kept_and_a_crowded_home_gives_couriers_away() -> None:
    # Eight of the same size in one home, as they were once given; a ninth fills others.
    parcels = dict.fromkeys(range(8), WEEK // 100) | {9: WEEK}
    plan, _parts = spread(parcels, dict.fromkeys(range(8), {5}) | {9: {*range(10, 64)}})
    crowd = Counter(home for courier in range(8) for home in plan[courier])
    assert crowd[5] < 4
    assert sum(crowd.values()) == 8
    assert plan[9] >= {*range(10, 64)}
