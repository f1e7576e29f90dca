"""Names of couriers, tiers and cities on tracking pages, cached in each process as they rarely change."""

import time
from typing import Any, Final

import msgspec
from django.utils import translation

from alliance.tenancy import Scope, rows_in

# How long a process caches a name: a courier's new name is on all its pages after this time.
KNOWN_SECONDS: Final = 300

_READ: Final = """
SELECT (SELECT name FROM alliance_organisation WHERE id = %s),
    (SELECT row_to_json(t) FROM (SELECT code, name_en, name_zh FROM slas_servicetier WHERE id = %s) t)::text,
    (SELECT row_to_json(c) FROM (
        SELECT code, name_en, name_zh, time_zone FROM alliance_city WHERE id = %s) c)::text,
    (SELECT row_to_json(c) FROM (
        SELECT code, name_en, name_zh, time_zone FROM alliance_city WHERE id = %s) c)::text
"""


class _Named(msgspec.Struct, frozen=True):
    """A row with a code and a name in both languages."""

    code: str
    name_en: str
    name_zh: str

    @property
    def name(self) -> str:
        return self.name_zh if translation.get_language() == "zh-hans" else self.name_en


class TrackedTier(_Named, frozen=True):
    pass


class TrackedCity(_Named, frozen=True):
    time_zone: str


class Names(msgspec.Struct, frozen=True):
    """The names of a parcel's courier, tier and cities."""

    courier: str
    tier: TrackedTier
    origin: TrackedCity
    destination: TrackedCity


_TIER: Final = msgspec.json.Decoder(TrackedTier)
_CITY: Final = msgspec.json.Decoder(TrackedCity)
# By kind and id: expiry (monotonic) and name.
_cache: dict[tuple[str, int], tuple[float, Any]] = {}
_NOT_KNOWN: Final = (0.0, None)


def names_of(*, courier_id: int, tier_id: int, origin_id: int, destination_id: int) -> Names:
    """Return the names; needs a query if one of them is not cached in this process."""
    keys = ("courier", courier_id), ("tier", tier_id), ("city", origin_id), ("city", destination_id)
    now = time.monotonic()
    entries = [_cache.get(key, _NOT_KNOWN) for key in keys]
    if min(expiry for expiry, _name in entries) < now:
        [(courier, tier, *cities)] = rows_in(Scope.parcel(0), _READ, [pk for _kind, pk in keys])
        names = courier, _TIER.decode(tier), *map(_CITY.decode, cities)
        entries = [(now + KNOWN_SECONDS, name) for name in names]
        _cache.update(zip(keys, entries, strict=True))
    return Names(*(name for _until, name in entries))


def forget_names() -> None:
    _cache.clear()
