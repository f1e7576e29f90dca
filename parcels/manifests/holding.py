"""Parcels that are held until the transaction ends, and put on a manifest: shard by shard, in one order."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from alliance.database.at_home import rows_by_shard
from parcels.manifests.sql import HELD_PARCELS, PUT_PARCELS


@dataclass(frozen=True, slots=True)
class HeldParcel:
    """A parcel's row while nobody else changes it. The names are those of the statement's columns."""

    of_parcel: int
    merchant: int
    courier: int
    origin: int
    address: int | None
    day: date | None
    has_status: str
    manifest: int | None


def hold(parcel_ids: Iterable[int]) -> dict[int, HeldParcel]:
    """Lock parcels as scans and cancellations do; return those that can be seen, in the order of ids."""
    ids = sorted({*parcel_ids})
    if not ids:
        return {}
    rows = sorted(rows_by_shard(HELD_PARCELS, ids, {}), key=lambda row: row[0])
    return {row[0]: HeldParcel(*row) for row in rows}


def put(parcel_ids: Iterable[int], manifest_id: int | None) -> None:
    """Put parcels on a manifest, or on none."""
    if ids := sorted({*parcel_ids}):
        rows_by_shard(PUT_PARCELS, ids, {}, manifest=manifest_id)
