"""Lists of a courier or merchant, asked at their homes: on a cluster, no other shard is looked into.

A merchant's parcels are in the homes of the couriers that it has booked.
"""

from typing import Any, TypeVar

from django.db.models import QuerySet

from alliance.database.cluster import homes_by_shard, is_distributed
from alliance.database.lists_at_home import rows_at_homes
from alliance.database.placements import group_table
from alliance.homes import ALL_HOMES
from alliance.tenancy import TenantQuerySet
from couriers.homes.queries import homes_of_merchant, homes_to_read

Rows = TypeVar("Rows", bound=QuerySet[Any])


def at_homes(rows: Rows, *, most: int) -> Rows:
    """Return a member's list with only those rows of which so many are the first; else the list as it is.

    The parcels are asked for at each home. Of what the homes have, the list's own order tells the first.
    """
    ids = _ids_at_homes(rows[:most])
    if ids is None:
        return rows
    if _parcel(rows) != "id":
        return rows.filter(parcel_id__in=ids)
    # Each of them matches. Citus would ask all shards if the filters were asked once more.
    found: Rows = rows.model._default_manager.filter(pk__in=ids).order_by(*rows.query.order_by)
    return found


def parcel_ids(rows: QuerySet[Any, Any]) -> list[int]:
    """Return the parcels of a list with a limit; of a member's list, so many of each home, by their ids."""
    ids = _ids_at_homes(rows)
    return list(rows.values_list(_parcel(rows), flat=True)) if ids is None else ids


def told_at_homes(rows: QuerySet[Any, Any]) -> list[dict[str, Any]] | None:
    """Return what each home of a member has of a list, by columns; None if that is not asked there."""
    if not is_distributed() or (homes := _homes_of_reader(rows)) is None:
        return None
    return rows_at_homes(rows, homes)


def merged_by_shard(rows: Rows, *key: str, most: int) -> tuple[list[Any], bool] | None:
    """Return the first rows of a list, as far as each shard was read, and whether these are all.

    The list is in the order of its key, of which the first column is the parcel. Each shard is asked for its
    part of `most` only: asked together, each would send as many as the whole page has. None if the list is to
    be asked as ever.
    """
    if not is_distributed():
        return None
    homes_of_reader = _homes_of_reader(rows)
    shards = homes_by_shard(ALL_HOMES if homes_of_reader is None else homes_of_reader)
    if not shards:
        return [], True
    size, keys = max(most // len(shards), 1), []
    for homes in shards:
        if (told := rows_at_homes(rows.values(*key)[:size], homes)) is None:
            return None
        keys.append([tuple(row[name] for name in key) for row in told])

    def key_of(row: Any) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in key)

    # Beyond the last row of a shard that has more, its next one may come first.
    end = min((part[-1] for part in keys if len(part) == size), default=None)
    found: list[Any] = []
    for part in keys:
        wanted = {place for place in part if end is None or place <= end}
        if wanted:
            # With the list's own conditions beside the parcels, Citus would ask all shards.
            parcels = {f"{_parcel(rows)}__in": {pk for pk, *_rest in wanted}}
            matching = rows.model._default_manager.filter(**parcels)
            found += [row for row in matching if key_of(row) in wanted]
    return sorted(found, key=key_of), end is None


def _ids_at_homes(rows: QuerySet[Any, Any]) -> list[int] | None:
    name = _parcel(rows)
    told = told_at_homes(rows if rows.query.distinct else rows.values(name))
    return None if told is None else sorted({row[name] for row in told})


def _homes_of_reader(rows: QuerySet[Any, Any]) -> tuple[int, ...] | None:
    reader = rows.reader if isinstance(rows, TenantQuerySet) else None
    if reader is None or not (reader.is_courier or reader.is_merchant):
        return None
    return (homes_to_read if reader.is_courier else homes_of_merchant)(reader.tenant_id)


def _parcel(rows: QuerySet[Any, Any]) -> str:
    return "id" if rows.model._meta.db_table == group_table() else "parcel_id"
