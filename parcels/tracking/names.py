"""What tracking pages call couriers, tiers and cities: known to each process, as it hardly ever changes."""

import time
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from django.utils import translation

from alliance.tenancy import Scope, rows_in

# How long a process goes on with what it has read: a courier's new name is on all its pages after that.
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
    """Something with a code, and a name in either language."""

    code: str
    name_en: str
    name_zh: str

    @property
    def name(self) -> str:
        """The name in the language of whoever is reading."""
        return self.name_zh if translation.get_language() == "zh-hans" else self.name_en


class TrackedTier(_Named, frozen=True):
    pass


class TrackedCity(_Named, frozen=True):
    time_zone: str


@dataclass(frozen=True, slots=True)
class Names:
    """Who and what a parcel has to do with."""

    courier: str
    tier: TrackedTier
    origin: TrackedCity
    destination: TrackedCity


_TIER: Final = msgspec.json.Decoder(TrackedTier)
_CITY: Final = msgspec.json.Decoder(TrackedCity)
# By kind and id: until when it is known, and what.
_known: dict[tuple[str, int], tuple[float, Any]] = {}


def names_of(*, courier_id: int, tier_id: int, origin_id: int, destination_id: int) -> Names:
    """Name them; costs a query when this process was not asked for one of them lately."""
    asked = ("courier", courier_id), ("tier", tier_id), ("city", origin_id), ("city", destination_id)
    now = time.monotonic()
    found = [_known.get(key, (0.0, None)) for key in asked]
    if any(until < now for until, _name in found):
        [(courier, tier, *cities)] = rows_in(Scope.parcel(0), _READ, [pk for _kind, pk in asked])
        read = courier, _TIER.decode(tier), *map(_CITY.decode, cities)
        found = [(now + KNOWN_SECONDS, name) for name in read]
        _known.update(zip(asked, found, strict=True))
    return Names(*(name for _until, name in found))


def forget_names() -> None:
    """Read every name anew when it is asked for."""
    _known.clear()
