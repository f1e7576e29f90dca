"""Held parcels, put on a manifest: shard by shard, in one order."""

from collections.abc import Iterable

from alliance.database.at_home import rows_by_shard
from parcels.manifests.sql import PUT_PARCELS


def put(parcel_ids: Iterable[int], manifest_id: int | None) -> None:
    """Put parcels on a manifest, or on none."""
    if ids := sorted({*parcel_ids}):
        rows_by_shard(PUT_PARCELS, ids, {}, manifest=manifest_id)
