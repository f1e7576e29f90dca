"""Issue a return: book the parcel that brings another one back, and link the two."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.database.together import over_one_connection
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.identifiers import tracking_number
from alliance.tenancy import Actor, require
from parcels.bookings.models import Parcel, PickupAddress
from parcels.bookings.rules import BookingRequest, IfFull, Recipient
from parcels.bookings.services.booking import book_parcel
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelSource, ParcelStatus, ReturnState
from parcels.returns.models import ReturnRequest
from parcels.returns.queries import return_addresses, sent_of
from parcels.returns.rules import refusal_of


@dataclass(frozen=True, slots=True)
class ReturnOrder:
    """How a parcel is to come back. What is left out is as the outward parcel's, or as a quote says."""

    tier: str
    courier: str = ""
    # Where it goes: one of the merchant's pickup addresses; the default one if None.
    address_id: int | None = None
    # None stands for that of the outward parcel.
    weight_g: int | None = None
    reference: str | None = None
    ready_at: datetime | None = None
    expected_deliver_by: datetime | None = None
    expected_pickup_by: datetime | None = None
    expected_price_fen: int | None = None
    if_full: IfFull = IfFull.REFUSE


def issue_return(
    *,
    actor: Actor,
    parcel_id: int,
    order: ReturnOrder,
    at: datetime,
    source: ParcelSource = ParcelSource.API,
    is_asked: bool = False,
) -> Booked:
    """Book the way back of a delivered or refused parcel, and link both; return the new booking.

    A request of the recipient's is approved by it, also one that was declined before. If the return is issued
    because of a request (`is_asked`), nothing is once that was withdrawn or declined. One return is open at a
    time: a second one is refused with the number of the first, until that one is cancelled. All is one
    transaction, on a cluster as well: a call that was cut off has left nothing. Raises NotPermitted unless
    the actor is a merchant, NotFound for another's parcel, Conflict for one that cannot come back, and what
    `book_parcel` raises.
    """
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant or actor.organisation_id is None:
        raise NotPermitted(_("Only merchants can issue returns."))
    with transaction.atomic():
        # Booking may write a table that is on every node, after parcels were read.
        over_one_connection()
        # Scans fold under the same lock, and so does another return: one of the two sees the other.
        outward = Parcel.objects.visible_to(actor).select_for_update(no_key=True).filter(pk=parcel_id).first()
        if outward is None:
            raise NotFound(_("You have no parcel with this number."))
        sent = sent_of(actor, outward)
        _refuse_second(outward)
        if (refusal := refusal_of(sent)) is not None:
            raise refusal
        address = _address(actor, order.address_id)
        request = _request(outward, address, order, at)
        # Before the booking: of what is refused here, none is undone.
        _approve(actor, outward, at, is_asked=is_asked)
        booked = book_parcel(actor=actor, request=request, at=at, source=source)
        _link(outward, booked.parcel_id, is_held=sent.is_refused)
        _announce(actor, outward, booked, at)
    return booked


def refuse_return(*, actor: Actor, parcel: Parcel) -> Conflict | None:
    """Return why no return would be issued for a parcel now; None if one would."""
    try:
        _refuse_second(parcel)
    except Conflict as refusal:
        return refusal
    return refusal_of(sent_of(actor, parcel))


def _refuse_second(outward: Parcel) -> None:
    if outward.returned_by_id is None:
        return
    earlier = Parcel.objects.filter(pk=outward.returned_by_id).values_list("status", flat=True).first()
    if earlier == ParcelStatus.CANCELLED:
        return
    number = tracking_number(outward.returned_by_id)
    detail = _("This parcel comes back as %(number)s already. Cancel that return to issue another.")
    raise Conflict(detail % {"number": number}, code="already_issued", members={"returned_by": number})


def _address(actor: Actor, address_id: int | None) -> PickupAddress:
    addresses = return_addresses(actor)
    if address_id is not None:
        addresses = [address for address in addresses if address.pk == address_id]
        if not addresses:
            raise InvalidInput(
                errors=[FieldError("/pickup_address", _("Unknown pickup address."), "unknown")]
            )
    if not addresses:
        message = _("You have no address to which it could go: add a pickup address first.")
        raise InvalidInput(errors=[FieldError("/pickup_address", message, "required")])
    return addresses[0]


def _request(outward: Parcel, address: PickupAddress, order: ReturnOrder, at: datetime) -> BookingRequest:
    weight_g = order.weight_g if order.weight_g is not None else outward.weight_g
    if weight_g is None:
        # Imported parcels have none.
        message = _("Enter the weight: that of the outward parcel is not known.")
        raise InvalidInput(errors=[FieldError("/weight_g", message, "required")])
    return BookingRequest(
        tier=order.tier,
        origin=outward.destination,
        destination=address.city,
        weight_g=weight_g,
        ready_at=order.ready_at or at,
        recipient=Recipient.written(address.contact_name, address.contact_phone, address.address),
        courier=order.courier,
        reference=outward.reference if order.reference is None else order.reference,
        expected_deliver_by=order.expected_deliver_by,
        expected_pickup_by=order.expected_pickup_by,
        expected_price_fen=order.expected_price_fen,
        if_full=order.if_full,
    )


def _link(outward: Parcel, return_id: int, *, is_held: bool) -> None:
    """Write each parcel's number into the other, and whom the return is collected from."""
    sender = {
        "sender_name": outward.recipient_name,
        "sender_phone": outward.recipient_phone,
        "sender_address": outward.recipient_address,
    }
    collected = {"held_by_id": outward.courier_id} if is_held else sender
    # By their ids alone, so that a cluster sends each to its shard.
    if outward.returned_by_id is not None:
        # Nobody collects what the cancelled return was to bring; erasing finds the latest return only.
        Parcel.objects.filter(pk=outward.returned_by_id).update(**dict.fromkeys(sender, ""))
    Parcel.objects.filter(pk=return_id).update(return_of_id=outward.pk, **collected)
    Parcel.objects.filter(pk=outward.pk).update(returned_by_id=return_id, return_cancelled_at=None)


def _approve(actor: Actor, outward: Parcel, at: datetime, *, is_asked: bool) -> None:
    states = [ReturnState.REQUESTED] if is_asked else [ReturnState.REQUESTED, ReturnState.DECLINED]
    requests = ReturnRequest.objects.filter(pk=outward.pk)
    # Whoever withdraws or declines it at the same time waits for this row, or this one for theirs.
    approved = requests.filter(state__in=states).update(
        state=ReturnState.APPROVED, answer="", decided_at=at, decided_by_id=actor.user_id
    )
    if is_asked and not approved and (request := requests.first()) is not None:
        refuse_decided(request)


def refuse_decided(request: ReturnRequest) -> None:
    """Raise Conflict for a request that was withdrawn or declined; one that was approved may be again."""
    if request.state not in {ReturnState.REQUESTED, ReturnState.APPROVED}:
        detail = _("This request is “%(state)s” by now.") % {"state": request.get_state_display()}
        raise Conflict(detail, code="decided")


def _announce(actor: Actor, outward: Parcel, booked: Booked, at: datetime) -> None:
    event = events.NewEvent(
        events.Topic.RETURN_ISSUED,
        merchant_id=outward.merchant_id,
        courier_id=booked.offer.courier_id,
        parcel_id=booked.parcel_id,
        payload={"tracking_number": booked.number, "return_of": outward.number},
    )
    events.record([event], at=at)
    audit.record(
        actor=actor,
        verb="return.issued",
        object_type="parcel",
        object_id=outward.pk,
        detail={"number": outward.number, "returned_by": booked.number},
    )
