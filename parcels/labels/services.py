"""Print labels: the first time and again."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.database.at_home import rows_by_shard
from alliance.errors import AllianceError, FieldError, InvalidInput
from alliance.models import Organisation
from alliance.tenancy import Actor, require
from parcels.bookings.models import Parcel
from parcels.choices import LabelSize
from parcels.labels.queries import Asked, asked_for, labels_of
from parcels.labels.rules import Label
from parcels.labels.sql import NOTE_PRINTS


class Printed(NamedTuple):
    """What becomes of one number that was asked for: its parcel and whether it is a reprint, or a refusal."""

    number: str
    parcel: Parcel | None = None
    is_reprint: bool = False
    refusal: AllianceError | None = None


def require_printing(actor: Actor) -> None:
    """Raise NotPermitted unless the actor handles parcels: labels are for who books, and for who carries."""
    require(actor, Capability.VIEW_PARCELS)
    if not actor.can(Capability.SEND_SCANS):
        require(actor, Capability.BOOK_PARCELS)


def note_prints(
    *, actor: Actor, numbers: Sequence[str], at: datetime, unmasked: bool = False
) -> list[Printed]:
    """Note that labels are printed now, and return for each number whether its label is a reprint.

    Another call says of each that it is one. Unmasked labels are audited. Raises NotPermitted, and
    InvalidInput for no number or too many; what is wrong with one number stands in its place.
    """
    require_printing(actor)
    if unmasked:
        require(actor, Capability.UNMASK)
    asked = asked_for(actor=actor, numbers=numbers)
    parcels = [each for each in asked if isinstance(each, Parcel)]
    first = _note(parcels, at)
    if unmasked:
        record_unmasking(actor, parcels)
    return [_printed(number, each, first) for number, each in zip(numbers, asked, strict=True)]


def print_labels(
    *, actor: Actor, printed: Sequence[Printed], now: datetime, unmasked: bool = False
) -> list[Label]:
    """Write the labels of what was noted, in its order."""
    if unmasked:
        require(actor, Capability.UNMASK)
    parcels = [each.parcel for each in printed if each.parcel is not None]
    reprinted = {each.parcel.pk for each in printed if each.parcel is not None and each.is_reprint}
    return labels_of(actor=actor, parcels=parcels, now=now, unmasked=unmasked, reprinted=reprinted)


def choose_size(*, actor: Actor, size: str) -> LabelSize:
    """Set the size that the actor's organisation prints on. Raises NotPermitted, InvalidInput."""
    require(actor, Capability.MANAGE_KEYS)
    organisation_id = actor.tenant_id
    if size not in LabelSize.values:
        message = _("Choose from: %(sizes)s.") % {"sizes": ", ".join(LabelSize.values)}
        raise InvalidInput(errors=[FieldError("/size", message)])
    organisations = Organisation.objects.filter(pk=organisation_id)
    if organisations.exclude(label_size=size).update(label_size=size):
        audit.record(
            actor=actor,
            verb="label.size_chosen",
            object_type="organisation",
            object_id=organisation_id,
            detail={"label_size": size},
        )
    return LabelSize(size)


def _note(parcels: Sequence[Parcel], at: datetime) -> set[int]:
    """Note the first prints among these; return their ids."""
    ids = sorted(parcel.pk for parcel in parcels if parcel.label_printed_at is None)
    if not ids:
        return set()
    return {parcel_id for (parcel_id,) in rows_by_shard(NOTE_PRINTS, ids, {}, at=at)}


def _printed(number: str, asked: Asked, first: set[int]) -> Printed:
    if isinstance(asked, AllianceError):
        return Printed(number, refusal=asked)
    return Printed(asked.number, asked, is_reprint=asked.pk not in first)


def record_unmasking(actor: Actor, parcels: Sequence[Parcel]) -> None:
    """Audit that the actor is shown the recipients of these in full."""
    if not parcels:
        return
    numbers = [parcel.number for parcel in parcels]
    audit.record(
        actor=actor,
        verb="label.unmasked",
        object_type="parcel",
        object_id=parcels[0].pk,
        detail={"count": len(numbers), "numbers": numbers},
    )
