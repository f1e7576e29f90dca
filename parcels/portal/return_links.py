"""A parcel's way back on its page: the other parcel, and whether a return may be issued."""

from typing import Any

from django.urls import reverse

from alliance.choices import Capability
from alliance.tenancy import Actor
from parcels.choices import ParcelStatus
from parcels.models import Parcel
from parcels.returns.queries import holder_of, request_of, sent_of
from parcels.returns.rules import refusal_of


def ways_of(actor: Actor, parcel: Parcel) -> dict[str, Any]:
    """What a parcel's page tells of its way back; no query for a parcel that has none and may get none."""
    ids = [pk for pk in (parcel.return_of_id, parcel.returned_by_id) if pk is not None]
    # Of a pair of parcels, a courier may carry only one.
    known = {other.pk: other for other in Parcel.objects.visible_to(actor).filter(pk__in=ids)} if ids else {}
    outward, back = (
        _other(known, parcel.return_of_id),
        _other(known, parcel.returned_by_id),
    )
    may_book = actor.is_merchant and actor.can(Capability.BOOK_PARCELS)
    is_open = back is not None and back["status"] != ParcelStatus.CANCELLED
    issuable = may_book and not is_open and refusal_of(sent_of(actor, parcel)) is None
    return {
        "return_of": outward,
        "returned_by": back,
        "held_by": holder_of(parcel),
        "return_url": reverse("parcels:return_issue", args=[parcel.number]) if issuable else "",
        "return_asked": request_of(parcel.pk) if issuable else None,
    }


def _other(known: dict[int, Parcel], parcel_id: int | None) -> dict[str, str] | None:
    if parcel_id is None:
        return None
    other = known.get(parcel_id)
    number = Parcel(id=parcel_id).number
    page = "parcels:parcel_detail" if other else "parcels:track"
    return {"number": number, "url": reverse(page, args=[number]), "status": other.status if other else ""}
