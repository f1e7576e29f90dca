"""Make, cancel and remark manifests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import translation
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound
from alliance.file_jobs import first_due
from alliance.locks import Lock, wait_for
from alliance.models import City
from alliance.tenancy import Actor, Scope, require, scope
from alliance.text_faults import fault_of
from parcels.bookings.models import PickupAddress
from parcels.choices import ManifestState
from parcels.manifests.holding import put
from parcels.manifests.models import Manifest
from parcels.manifests.queries import Pickup, manifest_for, parcels_on, waiting_parcels
from parcels.manifests.rules import MOST_PARCELS, REMARK_LENGTH
from parcels.waiting import rules as waiting
from parcels.waiting.holding import hold
from parcels.waiting.rules import HeldParcel, judge, none_fits, read_number


@dataclass(frozen=True, slots=True)
class Made:
    """A new manifest, and for each number that was given why it is not on it, if it is not."""

    manifest: Manifest
    results: Sequence[AllianceError | None] = ()
    # There were more parcels: another manifest can be made of them.
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a manifest is to be of; what is left out, the first parcel that fits decides."""

    courier_id: int | None = None
    origin_id: int | None = None
    # Of parcels booked without an address, None: then `origin_id` says where.
    address_id: int | None = None
    day: date | None = None


def make_manifest_of_day(*, actor: Actor, pickup: Pickup, at: datetime, most: int = MOST_PARCELS) -> Made:
    """Put on a manifest all parcels that wait for one pickup and are on no other.

    Raises Conflict if there are none.
    """
    _require_merchant(actor)
    zone = City.objects.get(pk=pickup.origin_id).time_zone
    with transaction.atomic():
        wait_for(Lock.MAKE_MANIFEST, of=actor.tenant_id)
        found = waiting_parcels(pickup, most=most + 1, zone=zone)
        held = hold(found[:most])
        ids = [each.of_parcel for each in held.values() if _refusal(each, pickup) is None]
        if not ids:
            message = _("No parcel of this courier, place and day waits for a manifest.")
            raise Conflict(message, code="no_parcel")
        return Made(_make(actor, pickup, ids, at), has_more=len(found) > most)


def make_manifest_of_numbers(
    *, actor: Actor, numbers: Sequence[str], wanted: Wanted, at: datetime, pointer: str = "/tracking_numbers"
) -> Made:
    """Put given parcels on a manifest; each that does not fit is refused, and the others are kept.

    Raises Conflict with a pointer to each if none fits.
    """
    _require_merchant(actor)
    with transaction.atomic():
        wait_for(Lock.MAKE_MANIFEST, of=actor.tenant_id)
        read = [read_number(number) for number in numbers]
        held = hold(each for each in read if isinstance(each, int))
        todays = _todays(held, at)
        # What is not named is as of the first parcel that fits.
        pickups: list[Pickup] = []

        def refuse(parcel: HeldParcel) -> AllianceError | None:
            pickup = pickups[0] if pickups else _as_wanted(parcel, wanted, todays[parcel.origin])
            refusal = _refusal(parcel, pickup)
            if refusal is None:
                pickups.append(pickup)
            return refusal

        results = judge(read, held, merchant_id=actor.tenant_id, refuse=refuse)
        if not pickups:
            detail = _("None of these parcels can be put on a manifest.")
            raise none_fits(read, results, detail, pointer=pointer)
        ids = [each.of_parcel for each in results if isinstance(each, HeldParcel)]
        refused = [each if isinstance(each, AllianceError) else None for each in results]
        return Made(_make(actor, pickups[0], ids, at), refused)


def pickups_of(*, actor: Actor, numbers: Sequence[str], at: datetime) -> list[list[str]]:
    """Divide numbers by courier, place and day: a selection of a list may be of several manifests.

    Numbers that are on no manifest anyway come with the first group, where they are refused.
    """
    _require_merchant(actor)
    read = {number: read_number(number) for number in dict.fromkeys(numbers)}
    with transaction.atomic():
        held = hold(each for each in read.values() if isinstance(each, int))
        todays = _todays(held, at)
        groups: dict[Pickup | None, list[str]] = {}
        for number, each in read.items():
            found = held.get(each) if isinstance(each, int) else None
            own = found is not None and found.merchant == actor.tenant_id
            pickup = _pickup_of(found, todays[found.origin]) if found and own else None
            if found and pickup and _refusal(found, pickup) is not None:
                pickup = None
            groups.setdefault(pickup, []).append(number)
    unfit = groups.pop(None, [])
    found_groups = list(groups.values())
    return [[*found_groups[0], *unfit], *found_groups[1:]] if found_groups else [unfit]


def cancel_manifest(*, actor: Actor, number: str, at: datetime) -> Manifest:
    """Take an open manifest back: its parcels stay booked and can be put on another.

    Cancelling again changes nothing. Raises NotFound, and Conflict once it is picked up.
    """
    _require_merchant(actor)
    manifest = manifest_for(actor, number)
    with transaction.atomic():
        manifest = locked(manifest)
        if manifest.state == ManifestState.CANCELLED:
            return manifest
        if not manifest.is_open:
            raise Conflict(_("This manifest has been picked up already."), code="already_picked_up")
        put(hold(parcel_id for parcel_id, _status in parcels_on(manifest)), None)
        manifest.state, manifest.cancelled_at = ManifestState.CANCELLED, at
        manifest.save(update_fields=["state", "cancelled_at"])
        note(actor, manifest, events.Topic.MANIFEST_CANCELLED, at)
    return manifest


def remark_manifest(*, actor: Actor, number: str, text: str) -> Manifest:
    """Write the remark of the actor's side. Raises NotFound, InvalidInput."""
    require(actor, Capability.SEND_SCANS if actor.is_courier else Capability.BOOK_PARCELS)
    manifest = manifest_for(actor, number)
    if actor.tenant_id not in {manifest.merchant_id, manifest.courier_id}:
        raise NotFound
    text = text.strip()
    if len(text) > REMARK_LENGTH:
        message = _("Use at most %d characters.") % REMARK_LENGTH
        raise InvalidInput(errors=[FieldError("/remark", message, "max_length")])
    if fault := fault_of(text):
        raise InvalidInput(errors=[FieldError("/remark", fault.message, fault.code)])
    name = "courier_remark" if actor.is_courier else "merchant_remark"
    Manifest.objects.filter(pk=manifest.pk).update(**{name: text})
    setattr(manifest, name, text)
    audit.record(
        actor=actor, verb="manifest.remarked", object_type="manifest", object_id=manifest.pk,
        detail={"number": manifest.number},
    )  # fmt: skip
    return manifest


def forget_remarks(*, before: datetime) -> None:
    """Erase what both sides wrote about manifests made before a moment: it may name a recipient."""
    with scope(Scope.everything()):
        remarked = Manifest.objects.filter(made_at__lt=before).exclude(merchant_remark="", courier_remark="")
        remarked.update(merchant_remark="", courier_remark="")


def locked(manifest: Manifest) -> Manifest:
    """Return a manifest as it is now, until the transaction ends."""
    row = Manifest.objects.select_for_update(no_key=True).get(pk=manifest.pk)
    for name in ("merchant", "courier", "origin", "pickup_address"):
        setattr(row, name, getattr(manifest, name))
    return row


def note(actor: Actor, manifest: Manifest, topic: events.Topic, at: datetime, **more: Any) -> None:
    """Tell both sides, and the audit trail."""
    payload = {
        "number": manifest.number,
        "pickup_date": manifest.day.isoformat(),
        "listed": manifest.listed,
        "picked_up": manifest.picked_up,
        "missing": len(manifest.missing),
        "extra": len(manifest.extra),
        **more,
    }
    event = events.NewEvent(
        topic, merchant_id=manifest.merchant_id, courier_id=manifest.courier_id, payload=payload
    )
    events.record([event], at=at)
    audit.record(actor=actor, verb=str(topic), object_type="manifest", object_id=manifest.pk, detail=payload)


def _as_wanted(parcel: HeldParcel, wanted: Wanted, today: date) -> Pickup:
    own = _pickup_of(parcel, today)
    place = (own.origin_id, own.address_id)
    if wanted.origin_id is not None:
        place = (wanted.origin_id, wanted.address_id)
    return Pickup(own.merchant_id, wanted.courier_id or own.courier_id, *place, wanted.day or own.day)


def _pickup_of(parcel: HeldParcel, today: date) -> Pickup:
    # What should have been picked up before goes with what is handed over today.
    day = max(parcel.day or today, today)
    return Pickup(parcel.merchant, parcel.courier, parcel.origin, parcel.address, day)


def _todays(held: Mapping[int, HeldParcel], at: datetime) -> dict[int, date]:
    """The day that it is, by the clocks of the cities where parcels are."""
    zones = City.objects.filter(pk__in={each.origin for each in held.values()})
    return {pk: local_clock(at, zone).date() for pk, zone in zones.values_list("pk", "time_zone")}


def _refusal(parcel: HeldParcel, pickup: Pickup) -> AllianceError | None:
    """Return why a parcel is not put on the manifest of a pickup, if it is not."""
    if refusal := waiting.refusal_of(parcel, pickup.place):
        return refusal
    if parcel.manifest is not None:
        other = Manifest.objects.filter(pk=parcel.manifest).first()
        detail = _("This parcel is on manifest %(number)s already.") % {"number": other or "–"}
        return Conflict(detail, code="on_another_manifest")
    if parcel.day is None:
        return Conflict(_("This parcel has no pickup day."), code="no_pickup_day")
    # One that should have been picked up before goes with what is picked up now.
    if parcel.day > pickup.day:
        detail = _("This parcel is picked up on a later day: %(day)s.") % {"day": parcel.day.isoformat()}
        return Conflict(detail, code="other_day")
    return None


def _make(actor: Actor, pickup: Pickup, ids: Sequence[int], at: datetime) -> Manifest:
    if len(ids) > MOST_PARCELS:
        raise ValueError(f"{len(ids)} parcels are more than a manifest may have")
    of_pickup = {
        "merchant_id": pickup.merchant_id,
        "courier_id": pickup.courier_id,
        "origin_id": pickup.origin_id,
        "pickup_address_id": pickup.address_id,
        "day": pickup.day,
    }
    last = Manifest.objects.filter(**of_pickup).aggregate(last=Max("ordinal"))["last"] or 0
    manifest = Manifest.objects.create(
        **of_pickup,
        ordinal=last + 1,
        listed=len(ids),
        made_at=at,
        made_by_id=actor.user_id,
        first_id=min(ids),
        last_id=max(ids),
        language=translation.get_language() or "en",
        due_at=first_due(),
    )
    put(ids, manifest.pk)
    note(actor, manifest, events.Topic.MANIFEST_MADE, at)
    return manifest


def _require_merchant(actor: Actor) -> None:
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound


def address_of(*, actor: Actor, address_id: int) -> PickupAddress | None:
    """Return one of the merchant's addresses, also one that was removed while parcels were booked from it."""
    require(actor, Capability.BOOK_PARCELS)
    return PickupAddress.objects.filter(merchant_id=actor.tenant_id, pk=address_id).first()
