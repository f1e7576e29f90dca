"""Cancel a parcel that has not been picked up."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.errors import Conflict, NotFound, NotPermitted
from alliance.tenancy import Actor, require
from parcels.bookings.models import Parcel
from parcels.choices import ParcelStatus
from slas.commitments.services.settling import void_commitments
from slas.offers.services.capacity import Slot, release


def cancel_parcel(*, actor: Actor, parcel_id: int, at: datetime) -> Parcel:
    """Cancel a booking: release its capacity and void its commitments.

    Cancelling again returns the same parcel and changes nothing. Raises NotFound for another merchant's
    parcel, NotPermitted for its courier, Conflict once it has moved.
    """
    require(actor, Capability.BOOK_PARCELS)
    with transaction.atomic():
        # Scans fold under the same row lock, so a pickup and a cancellation see each other.
        parcel = Parcel.objects.visible_to(actor).select_for_update().filter(pk=parcel_id).first()
        if parcel is None:
            raise NotFound
        if not actor.is_ops and parcel.merchant_id != actor.organisation_id:
            raise NotPermitted
        if parcel.status != ParcelStatus.CANCELLED:
            _cancel(actor, parcel, at)
    return parcel


def _cancel(actor: Actor, parcel: Parcel, at: datetime) -> None:
    if parcel.status != ParcelStatus.BOOKED:
        detail = _("This parcel can no longer be cancelled: it has been “%(status)s” since %(since)s.") % {
            "status": parcel.get_status_display(),
            "since": parcel.status_at.isoformat(timespec="minutes"),
        }
        raise Conflict(detail, code="already_moving")
    parcel.status = ParcelStatus.CANCELLED
    parcel.status_at = parcel.cancelled_at = at
    parcel.save(update_fields=["status", "status_at", "cancelled_at"])
    void_commitments(parcel_ids=[parcel.pk], at=at)
    # Release the capacity last: other bookings wait for the lock on this row.
    if parcel.offer_id and parcel.pickup_date:
        release({Slot(parcel.offer_id, parcel.pickup_date): 1})
    events.record(
        [
            events.NewEvent(
                events.Topic.PARCEL_CANCELLED,
                merchant_id=parcel.merchant_id,
                courier_id=parcel.courier_id,
                parcel_id=parcel.pk,
                payload={"tracking_number": parcel.number, "reference": parcel.reference},
            )
        ],
        at=at,
    )
    audit.record(actor=actor, verb="parcel.cancelled", object_type="parcel", object_id=parcel.pk)
