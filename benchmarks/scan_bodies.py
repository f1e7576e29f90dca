"""Request bodies of scans: groups of parcels pass through their stages, one stage per batch.

The first batches are a ramp: after them each batch has an equal number of scans of every stage.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from alliance.identifiers import moment_of, tracking_number
from benchmarks.filling import STORY

BATCH = 2_000
# Batches before the first one with every stage; they are sent, but not counted.
RAMP = len(STORY) - 1


def parcels_needed(batches: int, batch: int = BATCH) -> int:
    """Return the number of parcels needed for a number of counted batches."""
    return (batches + RAMP) * (batch // len(STORY))


def batches(parcels: Sequence[int], count: int) -> list[list[dict[str, str]]]:
    """Return RAMP + count batches of scans, with an equal share of each stage in the counted ones."""
    return [batch(parcels, number, count) for number in range(RAMP + count)]


def batch(parcels: Sequence[int], number: int, count: int) -> list[dict[str, str]]:
    """Return one of RAMP + count batches of scans: each stage is of other parcels."""
    return [
        scan(parcel_id, code, hours)
        for stage, (code, hours) in enumerate(STORY)
        if number >= stage
        for parcel_id in parcels[number - stage :: RAMP + count]
    ]


class Lot(NamedTuple):
    """Some of a courier's batches, in their order: first those that are not counted, then those that are."""

    parcels: list[int]
    # How many are counted of all that the parcels are enough for.
    of: int
    first: int
    uncounted: int
    counted: int

    def batches(self) -> Iterator[list[dict[str, str]]]:
        for number in range(self.first, self.first + self.uncounted + self.counted):
            yield batch(self.parcels, number, self.of)


def singly(parcels: Sequence[int], *, together: int = 100) -> Iterator[dict[str, str]]:
    """Yield single scans, each parcel's in order, alternating between some parcels."""
    for first in range(0, len(parcels), together):
        for code, hours in STORY:
            for parcel_id in parcels[first : first + together]:
                yield scan(parcel_id, code, hours)


def scan(parcel_id: int, code: str, hours: int) -> dict[str, str]:
    at = moment_of(parcel_id) + timedelta(hours=hours)
    return {
        "tracking_number": tracking_number(parcel_id),
        "code": code,
        "occurred_at": at.isoformat(),
        "facility": "HGH-01",
    }


def as_json(lines: Sequence[dict[str, str]]) -> bytes:
    return json.dumps(lines).encode()


def as_ndjson(lines: Sequence[dict[str, str]]) -> bytes:
    return "\n".join(map(json.dumps, lines)).encode()
