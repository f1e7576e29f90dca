"""Take single parcels off an open manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import events
from alliance.choices import Capability
from alliance.errors import AllianceError, Conflict, NotFound
from alliance.identifiers import tracking_number
from alliance.tenancy import Actor, require
from parcels.choices import ManifestState, ParcelStatus
from parcels.manifests.holding import put
from parcels.manifests.models import Manifest
from parcels.manifests.queries import manifest_for, parcels_on
from parcels.manifests.services.making import locked, note
from parcels.waiting.holding import hold
from parcels.waiting.rules import HeldParcel, judge, none_fits, not_waiting, read_number


@dataclass(frozen=True, slots=True)
class Removed:
    """A manifest without some parcels, and for each number that was given why it is still on it, if it is."""

    manifest: Manifest
    results: Sequence[AllianceError | None]


def remove_parcels(
    *, actor: Actor, number: str, numbers: Sequence[str], at: datetime, pointer: str = "/tracking_numbers"
) -> Removed:
    """Take parcels off an open manifest: they stay booked and can be put on another.

    Each number that does not fit is refused, and the others are taken off; those taken off before change
    nothing. Raises NotFound, and Conflict once the manifest is picked up or cancelled, with a pointer to each
    number if none fits, and if no parcel would be left to pick up.
    """
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    manifest = manifest_for(actor, number)
    with transaction.atomic():
        # The manifest first, then its parcels, as its pickup does: of the two one waits for the other.
        manifest = locked(manifest)
        if manifest.state == ManifestState.CANCELLED:
            raise Conflict(_("This manifest was cancelled."), code="manifest_cancelled")
        if not manifest.is_open:
            raise Conflict(_("This manifest has been picked up already."), code="already_picked_up")
        read = [read_number(each) for each in numbers]
        held = hold(each for each in read if isinstance(each, int))
        before = {*manifest.removed}

        def refuse(parcel: HeldParcel) -> AllianceError | None:
            return _refusal(parcel, manifest, before)

        results = judge(read, held, merchant_id=actor.tenant_id, refuse=refuse)
        fit = [each for each in results if isinstance(each, HeldParcel)]
        if not fit:
            detail = _("None of these parcels can be taken off this manifest.")
            raise none_fits(read, results, detail, pointer=pointer)
        if ids := [each.of_parcel for each in fit if each.manifest == manifest.pk]:
            _take_off(actor, manifest, ids, at)
    return Removed(manifest, [each if isinstance(each, AllianceError) else None for each in results])


def _refusal(parcel: HeldParcel, manifest: Manifest, before: set[int]) -> AllianceError | None:
    if parcel.manifest == manifest.pk:
        return not_waiting(parcel.has_status)
    if parcel.of_parcel in before:
        return None
    return NotFound(_("This parcel is not on this manifest."), code="not_listed")


def _take_off(actor: Actor, manifest: Manifest, ids: Sequence[int], at: datetime) -> None:
    waiting = {pk for pk, status in parcels_on(manifest) if status == ParcelStatus.BOOKED}
    if waiting <= {*ids}:
        message = _("No parcel would be left to pick up: cancel the manifest instead.")
        raise Conflict(message, code="nothing_left")
    put(ids, None)
    manifest.removed = [*manifest.removed, *ids]
    manifest.listed -= len(ids)
    manifest.save(update_fields=["removed", "listed"])
    numbers = [tracking_number(each) for each in ids]
    note(actor, manifest, events.Topic.MANIFEST_CHANGED, at, removed=numbers)
