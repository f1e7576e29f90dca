"""How many homes couriers have, and which, by what they carried in the last days."""

import math
from collections.abc import Collection, Mapping
from typing import Final

from alliance.homes import HOMES

# Days whose parcels are counted, today and what is booked ahead among them.
DAYS: Final = 7
# As many parcels a day are one home's at least: of little traffic, shares say nothing.
LEAST_A_DAY: Final = 200
# A courier's number stays while its traffic is up to a quarter more or less than that number's.
_TOLERANCE: Final = 1.25
# A home with more than so many times the mean gives couriers away.
_CROWDED: Final = 2
# What a courier without traffic weighs, so that new ones do not all get the same home.
_NEW: Final = 1e-6
# Equally loaded homes are given in strides of 39, the golden section of 64; 23 * 39 is 1 more than 14 * 64.
_TURN: Final = 23


def turn_of(home: int) -> int:
    """Return when a home is given among equally loaded ones.

    Neighbours lie in one shard, and few couriers should already be on all workers.
    """
    return home * _TURN % HOMES


def homes_needed(parcels: int, total: int, *, has: int) -> int:
    """Return how many homes a courier of so many parcels, out of all couriers', should have.

    A home's fair part is one of 64 of the traffic. A courier that has some keeps their number until its
    traffic is clearly another one.
    """
    if not parcels:
        return 1
    wanted = min(parcels * HOMES / total, parcels / (DAYS * LEAST_A_DAY))
    if has and _number(wanted / _TOLERANCE) <= has <= _number(wanted * _TOLERANCE):
        return has
    return _number(wanted)


def spread(
    parcels: Mapping[int, int], homes: Mapping[int, Collection[int]]
) -> tuple[dict[int, set[int]], dict[int, float]]:
    """Divide couriers among homes: their homes by courier, and the part of the traffic in each of these.

    `homes` are those that couriers have, by courier, also of none; `parcels` is their traffic. Keeps what
    it can, gives the least loaded homes, takes away the most loaded; once more, with the same traffic, it
    changes nothing.
    """
    total = sum(parcels.get(courier, 0) for courier in homes)
    numbers = {
        courier: homes_needed(parcels.get(courier, 0), total, has=len(has)) for courier, has in homes.items()
    }
    parts = {courier: parcels.get(courier, 0) / (total or 1) / number for courier, number in numbers.items()}
    plan = {courier: {*has} for courier, has in homes.items()}
    load = [0.0] * HOMES
    for courier, has in plan.items():
        for home in has:
            load[home] += parts[courier] + _NEW
    # The largest first: they fill homes, the others go between.
    for courier in sorted(plan, key=lambda each: (-parts[each] * numbers[each], each)):
        has, part = plan[courier], parts[courier] + _NEW
        while len(has) > numbers[courier]:
            home = max(has, key=lambda each: (load[each], each))
            has.remove(home)
            load[home] -= part
        while len(has) < numbers[courier]:
            home = min(
                (each for each in range(HOMES) if each not in has),
                key=lambda each: (load[each], turn_of(each)),
            )
            has.add(home)
            load[home] += part
    _ease(plan, parts, load)
    return plan, parts


def _ease(plan: Mapping[int, set[int]], parts: Mapping[int, float], load: list[float]) -> None:
    """Move couriers from crowded homes to the least loaded one, while that evens them out."""
    while True:
        crowded, calm = (pick(range(HOMES), key=load.__getitem__) for pick in (max, min))
        if load[crowded] <= _CROWDED * sum(load) / HOMES:
            return
        most = (load[crowded] - load[calm]) / 2
        movable = [
            (parts[courier], courier)
            for courier, has in plan.items()
            if crowded in has and calm not in has and 0 < parts[courier] < most
        ]
        if not movable:
            return
        part, courier = max(movable)
        plan[courier].remove(crowded)
        plan[courier].add(calm)
        load[crowded] -= part + _NEW
        load[calm] += part + _NEW


def _number(homes: float) -> int:
    return max(1, min(HOMES, math.ceil(homes)))
