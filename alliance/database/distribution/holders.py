"""Who sends new parcels to which homes. Apps say: the kernel knows no couriers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from alliance.database.distribution.shards import Shard


@dataclass(frozen=True, slots=True)
class Holder:
    """One who has homes; without any, its parcels go to all of them."""

    name: str
    homes: Sequence[int]
    # The part of all parcels, in millionths, when last counted.
    share_ppm: int


# Functions that return those with a text in their names.
READERS: Final[list[Callable[[str], list[Holder]]]] = []


def holders(search: str = "") -> list[Holder]:
    """Return those whose name has a text, whoever sends most first."""
    found = [holder for read in READERS for holder in read(search)]
    return sorted(found, key=lambda holder: (-holder.share_ppm, holder.name))


def nodes_of(holder: Holder, shards: Iterable[Shard]) -> list[str]:
    """Return the nodes that its new parcels go to."""
    homes = holder.homes
    return sorted(
        {
            shard.node
            for shard in shards
            if not homes or any(shard.first_home <= home <= shard.last_home for home in homes)
        }
    )


def in_words(homes: Sequence[int]) -> str:
    """Return homes with their ranges put together: `3, 17-19`."""
    if not homes:
        return "all"
    ends = [homes[0], *(end for pair in pairwise(homes) if pair[1] > pair[0] + 1 for end in pair), homes[-1]]
    ranges = zip(ends[::2], ends[1::2], strict=True)
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)
