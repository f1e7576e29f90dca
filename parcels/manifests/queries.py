"""Reads of manifests and of what is on them. Parcels are asked for at the courier's homes alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.database.at_home import where_shards_are
from alliance.database.cluster import is_distributed, keys_of_homes
from alliance.database.literals import numbers
from alliance.database.stored_functions import StoredStatement
from alliance.errors import NotFound
from alliance.identifiers import EPOCH, parcel_id_at
from alliance.models import City
from alliance.tenancy import Actor, Scope, in_index_order, raw_rows, require, scope
from couriers.homes.lists import at_homes
from couriers.homes.queries import homes_to_read
from parcels.bookings.models import Parcel, PickupAddress
from parcels.choices import ParcelStatus
from parcels.manifests.models import Manifest
from parcels.manifests.rules import LOOKED_BACK, MOST_PARCELS, InvalidManifestNumber, parse_manifest_number
from parcels.manifests.sql import MANIFEST_COUNTS, MANIFEST_PARCELS, WAITING_PARCELS
from parcels.waiting.rules import Place
from slas.listed import with_names

# So many of the newest parcels tell from where a merchant books.
_LATEST: Final = 200
_CARRIERS: Final = """
SELECT o.id, o.name FROM alliance_acquaintance a JOIN alliance_organisation o ON o.id = a.courier_id
WHERE a.merchant_id = %s ORDER BY o.name, o.id
"""
_NAMES: Final = ("merchant__organisation", "courier__organisation", "origin")


@dataclass(frozen=True, slots=True)
class Pickup:
    """One merchant's parcels of one courier, place and day: what a manifest is of."""

    merchant_id: int
    courier_id: int
    origin_id: int
    address_id: int | None
    day: date

    @property
    def place(self) -> Place:
        return Place(self.courier_id, self.origin_id, self.address_id)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many parcels a manifest has, and what has become of them."""

    to_pick_up: int = 0
    picked_up: int = 0
    cancelled: int = 0
    missing: int = 0
    extra: int = 0
    refused: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A parcel of a manifest, and what has become of it there."""

    parcel: Parcel
    outcome: str


def manifests_of(actor: Actor) -> Any:
    """Return the manifests of the actor's organisation. Raises NotPermitted."""
    require(actor, Capability.VIEW_PARCELS)
    return Manifest.objects.visible_to(actor).select_related(*_NAMES)


def manifest_for(actor: Actor, number: str) -> Manifest:
    """Return the manifest with a number. Raises NotFound for a bad number and for another's."""
    require(actor, Capability.VIEW_PARCELS)
    try:
        code = parse_manifest_number(number)
    except InvalidManifestNumber as error:
        raise NotFound(str(error), code="unknown_manifest") from None
    manifest: Manifest | None = manifests_of(actor).filter(code=code).first()
    if manifest is None:
        raise NotFound(_("You have no manifest with this number."), code="unknown_manifest")
    with_addresses([manifest])
    return manifest


def with_addresses(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Give manifests their addresses: a courier sees those at which it picks up, and no others."""
    wanted = {each.pickup_address_id for each in manifests if each.pickup_address_id}
    with scope(Scope.everything()):
        found = PickupAddress.objects.in_bulk(wanted)
    for manifest in manifests:
        if manifest.pickup_address_id:
            manifest.pickup_address = found.get(manifest.pickup_address_id)
    return list(manifests)


def manifest_of_parcel(actor: Actor, parcel: Parcel) -> Manifest | None:
    """Return the manifest that a parcel is on, for its page."""
    if parcel.manifest_id is None:
        return None
    return Manifest.objects.visible_to(actor).filter(pk=parcel.manifest_id).first()


def waiting_parcels(pickup: Pickup, *, most: int, zone: str) -> list[int]:
    """Return the ids of parcels that wait for a pickup and are on no manifest, in the order of booking."""
    midnight = datetime.combine(pickup.day, time.min, ZoneInfo(zone))
    low = parcel_id_at(max(midnight - LOOKED_BACK, EPOCH))
    high = parcel_id_at(max(midnight + timedelta(days=1), EPOCH))
    values = {
        **{"merchant": pickup.merchant_id, "courier": pickup.courier_id, "origin": pickup.origin_id},
        **{"address": pickup.address_id, "day": pickup.day, "low": low, "high": high, "most": most},
    }
    rows = _at_homes(WAITING_PARCELS, [pickup.courier_id], low, values)
    return sorted(parcel_id for (parcel_id,) in rows)[:most]


def parcels_on(manifest: Manifest, *, after: int = 0, most: int = MOST_PARCELS) -> list[tuple[int, str]]:
    """Return ids and statuses of the parcels on a manifest after one of them, in their order."""
    low = max(after + 1, manifest.first_id)
    if low > manifest.last_id:
        return []
    values = {"manifest": manifest.pk, "low": low, "high": manifest.last_id, "most": most}
    return sorted(_at_homes(MANIFEST_PARCELS, [manifest.courier_id], low, values))[:most]


def counts_of(manifests: Sequence[Manifest]) -> dict[int, Counts]:
    """Return the counts of manifests: of open ones as their parcels are now, of others as they were kept."""
    return {**_kept(manifests), **_now(manifests)}


def _kept(manifests: Sequence[Manifest]) -> dict[int, Counts]:
    return {
        each.pk: Counts(
            to_pick_up=0,
            picked_up=each.picked_up,
            cancelled=each.cancelled,
            missing=len(each.missing),
            extra=len(each.extra),
            refused=len(each.refused),
            removed=len(each.removed),
        )
        for each in manifests
    }


def _now(manifests: Sequence[Manifest]) -> dict[int, Counts]:
    of_open = [each for each in manifests if each.is_open]
    if not of_open:
        return {}
    low, high = min(each.first_id for each in of_open), max(each.last_id for each in of_open)
    values = {"manifests": numbers(each.pk for each in of_open), "low": low, "high": high}
    found: dict[int, Counter[str]] = {each.pk: Counter() for each in of_open}
    removed = {each.pk: len(each.removed) for each in of_open}
    for manifest_id, status, n in _at_homes(
        MANIFEST_COUNTS, sorted({each.courier_id for each in of_open}), low, values
    ):
        found[manifest_id][status] += n
    return {
        pk: Counts(
            to_pick_up=by_status[ParcelStatus.BOOKED],
            cancelled=by_status[ParcelStatus.CANCELLED],
            # By a scan of its own.
            picked_up=by_status.total() - by_status[ParcelStatus.BOOKED] - by_status[ParcelStatus.CANCELLED],
            removed=removed[pk],
        )
        for pk, by_status in found.items()
    }


def lines_of(actor: Actor, manifest: Manifest, *, after: int = 0, most: int = MOST_PARCELS) -> list[Line]:
    """Return the parcels on a manifest after one of them, with their names; missing ones are apart."""
    ids = [parcel_id for parcel_id, _status in parcels_on(manifest, after=after, most=most)]
    parcels = _parcels(actor, ids)
    extra = set(manifest.extra)
    return [Line(parcel, outcome_of(manifest, parcel, extra)) for parcel in parcels]


def missing_lines(actor: Actor, manifest: Manifest) -> list[Line]:
    """Return the parcels that the courier did not find."""
    return [Line(parcel, "missing") for parcel in _parcels(actor, manifest.missing)]


def removed_lines(actor: Actor, manifest: Manifest) -> list[Line]:
    """Return the parcels that the merchant took off."""
    return [Line(parcel, "removed") for parcel in _parcels(actor, manifest.removed)]


def extra_lines(actor: Actor, manifest: Manifest) -> list[Line]:
    """Return the parcels that were handed over without being on the list."""
    return [Line(parcel, "extra") for parcel in _parcels(actor, manifest.extra)]


def all_lines(actor: Actor, manifest: Manifest, *, a_time: int = 1_000) -> Iterator[Line]:
    """Yield all that a manifest says of parcels: those on it, then those missing and taken off."""
    after = 0
    while lines := lines_of(actor, manifest, after=after, most=a_time):
        yield from lines
        after = lines[-1].parcel.pk
    yield from missing_lines(actor, manifest)
    yield from removed_lines(actor, manifest)


def outcome_of(manifest: Manifest, parcel: Parcel, extra: set[int]) -> str:
    """What has become of a parcel that is on a manifest: a word that pages and programs know."""
    if parcel.pk in extra:
        return "extra"
    if parcel.status == ParcelStatus.CANCELLED:
        return "cancelled"
    if str(parcel.pk) in manifest.refused:
        return "refused"
    if parcel.status == ParcelStatus.BOOKED:
        return "to_pick_up"
    return "picked_up"


def couriers_of(actor: Actor) -> list[tuple[int, str]]:
    """Return the couriers that a merchant has booked, by name."""
    return [(pk, name) for pk, name in raw_rows(_CARRIERS, [actor.tenant_id])]


def cities_without_address(actor: Actor) -> list[City]:
    """Return the cities from which a merchant has booked lately without naming an address."""
    rows = Parcel.objects.visible_to(actor).order_by("-pk")
    with in_index_order():
        latest = list(at_homes(rows, most=_LATEST).only("origin_id", "pickup_address_id")[:_LATEST])
    ids = {each.origin_id for each in latest if each.pickup_address_id is None}
    return list(City.objects.filter(pk__in=ids).order_by("code"))


def _parcels(actor: Actor, ids: Sequence[int]) -> list[Parcel]:
    rows = Parcel.objects.visible_to(actor).filter(pk__in=ids).order_by("pk")
    return with_names(rows)


def _at_homes(
    statement: StoredStatement, courier_ids: Sequence[int], from_id: int, values: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Call a statement on each shard that may have parcels of some couriers, of an id or later."""
    homes = [0]
    if is_distributed():
        wanted = {home for courier in courier_ids for home in homes_to_read(courier, from_id=from_id)}
        homes = list(keys_of_homes(sorted(wanted)).values())
    return where_shards_are(
        lambda: [row for home in homes for row in raw_rows(statement.call, {"home": home, **values})]
    )
