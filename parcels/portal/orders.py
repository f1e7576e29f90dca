"""The parcels of one order, shown together: to their merchant and courier, and to their recipient."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.tenancy import Actor
from alliance.wording import sentences
from parcels.bookings.queries import parcels_of_order
from parcels.choices import ParcelStatus
from parcels.models import Parcel
from parcels.tracking.advice import title_of
from parcels.tracking.queries import PublicParcel, order_of, states_of
from slas.listed import with_names


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One parcel of an order."""

    number: str
    url: str
    piece: int
    status: ParcelStatus
    title: str
    weight_g: int | None
    # The page is about this one.
    is_this: bool


@dataclass(frozen=True, slots=True)
class OrderView:
    lines: Sequence[OrderLine]
    # How many it was booked with.
    pieces: int
    fee_fen: int
    summary: str
    # Those that get a label, and those that can be cancelled by the reader.
    printable: Sequence[str]
    cancellable: Sequence[str]


def order_view(actor: Actor, parcel: Parcel) -> OrderView | None:
    """Return the order of a parcel, as far as the actor sees it; None for a parcel alone."""
    if parcel.order_id is None:
        return None
    parcels = with_names(parcels_of_order(actor, parcel))
    states = states_of(actor=actor, parcels=parcels, now=timezone.now(), with_arrivals=False)
    lines = [
        OrderLine(
            number=each.number,
            url=reverse("parcels:parcel_detail", args=[each.number]),
            piece=each.piece,
            status=states[each.pk].shown_status,
            title=title_of(states[each.pk]),
            weight_g=each.weight_g,
            is_this=each.pk == parcel.pk,
        )
        for each in parcels
    ]
    may_cancel = actor.is_merchant and actor.can(Capability.BOOK_PARCELS)
    return OrderView(
        lines=lines,
        pieces=parcel.pieces,
        fee_fen=sum(each.fee_fen or 0 for each in parcels),
        summary=_summary([line.status for line in lines], parcel.pieces),
        printable=[line.number for line in lines if line.status != ParcelStatus.CANCELLED],
        cancellable=[line.number for line in lines if may_cancel and line.status == ParcelStatus.BOOKED],
    )


def public_order(public_parcel: PublicParcel) -> SafeString:
    """Return the part of the tracking page with the other parcels of the order; "" for a parcel alone."""
    pieces = order_of(public_parcel)
    if len(pieces) < 2:
        return SafeString()
    parcel = public_parcel.parcel
    statuses = [ParcelStatus(piece.status) for piece in pieces]
    lines = [
        OrderLine(
            number=piece.number,
            url=reverse("parcels:track", args=[piece.number]),
            piece=piece.piece,
            status=status,
            title=str(status.label),
            weight_g=None,
            is_this=piece.parcel_id == parcel.id,
        )
        for piece, status in zip(pieces, statuses, strict=True)
    ]
    context = {"lines": lines, "pieces": parcel.pieces, "summary": _summary(statuses, parcel.pieces)}
    return render_to_string("parcels/order_public.html", context)


def _summary(statuses: Sequence[ParcelStatus], pieces: int) -> str:
    delivered, cancelled = (
        statuses.count(status) for status in (ParcelStatus.DELIVERED, ParcelStatus.CANCELLED)
    )
    text = _("%(n)d of %(m)d delivered.") % {"n": delivered, "m": pieces}
    return sentences(text, _("%(n)d cancelled.") % {"n": cancelled}) if cancelled else text
