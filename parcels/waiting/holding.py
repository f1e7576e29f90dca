"""Parcels that are held until the transaction ends: shard by shard, in one order."""

from collections.abc import Iterable

from alliance.database.at_home import rows_by_shard
from parcels.waiting.rules import HeldParcel
from parcels.waiting.sql import HELD_PARCELS


def hold(parcel_ids: Iterable[int]) -> dict[int, HeldParcel]:
    """Lock parcels as scans and cancellations do; return those that can be seen, in the order of ids."""
    ids = sorted({*parcel_ids})
    if not ids:
        return {}
    rows = sorted(rows_by_shard(HELD_PARCELS, ids, {}), key=lambda row: row[0])
    return {row[0]: HeldParcel(*row) for row in rows}
