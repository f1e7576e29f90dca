"""Cancel parcels that have not been picked up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.database.at_home import rows_by_shard
from alliance.database.literals import numbers
from alliance.dates import time_text
from alliance.errors import AllianceError, Conflict, NotFound, NotPermitted
from alliance.identifiers import tracking_number
from alliance.tenancy import Actor, require
from parcels.bookings.models import Parcel
from parcels.bookings.sql import CANCEL_PARCELS
from parcels.choices import ParcelStatus
from slas.commitments.services.settling import void_commitments
from slas.offers.services.capacity import Slot, release


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A parcel that is cancelled, and since when."""

    parcel_id: int
    cancelled_at: datetime

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


@dataclass(frozen=True, slots=True)
class _Held:
    """A parcel after the statement. The names are those of its columns."""

    of_parcel: int
    is_own: bool
    was_booked: bool
    has_status: str
    since: datetime
    merchant: int
    courier: int
    offer: int | None
    day: date | None
    known_as: str


def cancel_parcel(*, actor: Actor, parcel_id: int, at: datetime) -> Cancelled:
    """Cancel one parcel. Raises what `cancel_parcels` returns: NotFound, NotPermitted or Conflict."""
    [result] = cancel_parcels(actor=actor, parcel_ids=[parcel_id], at=at)
    if isinstance(result, AllianceError):
        raise result
    return result


def cancel_parcels(
    *, actor: Actor, parcel_ids: Sequence[int], at: datetime
) -> list[Cancelled | AllianceError]:
    """Cancel bookings: release their capacity and void their commitments.

    Returns one result per parcel, in order: NotFound for another merchant's parcel, NotPermitted for its
    courier, Conflict once it has moved. Cancelling again returns the same and changes nothing. A parcel of
    which the return is cancelled may get another one.
    """
    require(actor, Capability.BOOK_PARCELS)
    if not parcel_ids:
        return []
    of_merchant = None if actor.is_ops else actor.organisation_id
    # Without a savepoint: on a cluster its release would be a message to each worker.
    with transaction.atomic(savepoint=False):
        # What a return brings back is locked with it: issuing another one waits there.
        outward = _outward_of(actor, parcel_ids)
        rows = rows_by_shard(
            CANCEL_PARCELS,
            sorted({*parcel_ids, *outward.values()}),
            {},
            at=at,
            of_merchant=of_merchant,
            only_locked=numbers(sorted({*outward.values()} - {*parcel_ids})),
        )
        parcels = {row[0]: _Held(*row) for row in rows}
        if cancelled := [parcel for parcel in parcels.values() if parcel.was_booked]:
            _free(outward, cancelled, at)
            _follow(actor, cancelled, at)
    return [_result(parcels.get(parcel_id)) for parcel_id in parcel_ids]


def refusal_of(status: str, since: datetime) -> Conflict | None:
    """Return why a parcel of a status is not cancelled; None if it is, or can be."""
    if status in {ParcelStatus.BOOKED, ParcelStatus.CANCELLED}:
        return None
    detail = _("This parcel can no longer be cancelled: it has been “%(status)s” since %(since)s.") % {
        "status": ParcelStatus(status).label,
        "since": time_text(since),
    }
    return Conflict(detail, code="already_moving")


def _outward_of(actor: Actor, parcel_ids: Sequence[int]) -> dict[int, int]:
    """Return the parcel that each return among these brings back; it never changes."""
    returns = Parcel.objects.visible_to(actor).filter(pk__in=parcel_ids, return_of_id__isnull=False)
    return dict(returns.values_list("pk", "return_of_id"))


def _free(outward: Mapping[int, int], cancelled: Sequence[_Held], at: datetime) -> None:
    """Note in the parcels of cancelled returns that these are; by their ids, so each goes to its shard."""
    for parcel in cancelled:
        if (outward_id := outward.get(parcel.of_parcel)) is not None:
            named = Parcel.objects.filter(pk=outward_id, returned_by_id=parcel.of_parcel)
            named.update(return_cancelled_at=at)


def _follow(actor: Actor, cancelled: Sequence[_Held], at: datetime) -> None:
    """Do what follows from the parcels' being cancelled."""
    void_commitments(parcel_ids=[parcel.of_parcel for parcel in cancelled], at=at)
    events.record([_event(parcel) for parcel in cancelled], at=at)
    _audit(actor, cancelled)
    # Release the capacity last: other bookings wait for the locks on these rows.
    release(Counter(Slot(parcel.offer, parcel.day) for parcel in cancelled if parcel.offer and parcel.day))


def _event(parcel: _Held) -> events.NewEvent:
    return events.NewEvent(
        events.Topic.PARCEL_CANCELLED,
        merchant_id=parcel.merchant,
        courier_id=parcel.courier,
        parcel_id=parcel.of_parcel,
        payload={"tracking_number": tracking_number(parcel.of_parcel), "reference": parcel.known_as},
    )


def _audit(actor: Actor, cancelled: Sequence[_Held]) -> None:
    first = cancelled[0].of_parcel
    if len(cancelled) == 1:
        audit.record(actor=actor, verb="parcel.cancelled", object_type="parcel", object_id=first)
        return
    numbers = sorted(tracking_number(parcel.of_parcel) for parcel in cancelled)
    audit.record(
        actor=actor,
        verb="parcels.cancelled",
        object_type="parcel",
        object_id=first,
        detail={"count": len(numbers), "numbers": numbers},
    )


def _result(parcel: _Held | None) -> Cancelled | AllianceError:
    if parcel is None:
        return NotFound(_("You have no parcel with this number."))
    if not parcel.is_own:
        return NotPermitted()
    refusal = refusal_of(parcel.has_status, parcel.since)
    return refusal or Cancelled(parcel.of_parcel, parcel.since)
