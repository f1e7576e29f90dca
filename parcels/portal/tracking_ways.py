"""What the tracking page says of a parcel's way back: the other parcel, and the request for a return."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from alliance.identifiers import tracking_number
from alliance.tenancy import Scope, scope
from alliance.web.stencils import filled
from parcels.choices import ParcelStatus, ReturnState
from parcels.models import Parcel, ReturnRequest
from parcels.portal.return_forms import RecipientReturnForm
from parcels.returns.queries import known_policy, request_of
from parcels.returns.rules import Policy
from parcels.tracking.queries import PublicParcel


@dataclass(frozen=True, slots=True)
class WayBack:
    """What is known of a parcel's return: its request, and the parcel that brings it back."""

    policy: Policy
    request: ReturnRequest | None
    back: Parcel | None

    @property
    def is_issued(self) -> bool:
        return self.back is not None and self.back.status != ParcelStatus.CANCELLED

    @property
    def is_asking(self) -> bool:
        """Whether a request may be made, as far as the request itself tells."""
        state = self.request.state if self.request else None
        return not self.is_issued and state not in {ReturnState.REQUESTED, ReturnState.DECLINED}


def ways(public_parcel: PublicParcel) -> SafeString:
    """The other parcel of a way there and back, with the way to its page; "" for most."""
    parcel = public_parcel.parcel
    out, back = parcel.return_of_id, parcel.returned_by_id
    if out is None and back is None:
        return SafeString()
    numbers = {
        "return_of": "" if out is None else tracking_number(out),
        "returned_by": "" if back is None else tracking_number(back),
    }
    links = {
        f"{name}_url": reverse("parcels:track", args=[number]) for name, number in numbers.items() if number
    }
    shape = {
        "is_cancelled": parcel.status == ParcelStatus.CANCELLED,
        "return_cancelled": back is not None and not parcel.has_return,
    }
    return filled("parcels/tracking_ways.html", {**numbers, **links}, shape)


def closed_card(public_parcel: PublicParcel) -> SafeString:
    """The card that leads to a return, closed: what is in it is fetched when it is opened.

    For parcels that were delivered, of merchants that take requests. That asks nothing of the database.
    """
    parcel = public_parcel.parcel
    if parcel.status != ParcelStatus.DELIVERED or parcel.return_of_id is not None:
        return SafeString()
    if not parcel.has_return and not known_policy(parcel.merchant_id).is_allowed:
        return SafeString()
    return filled("parcels/recipient_return.html", {"return_url": _url(public_parcel)}, {})


def open_card(
    request: HttpRequest,
    public_parcel: PublicParcel,
    way: WayBack,
    form: RecipientReturnForm,
    *,
    problem: str = "",
) -> SafeString:
    """The same, opened."""
    context: dict[str, Any] = {
        "return_url": _url(public_parcel),
        "is_open": True,
        "way": way,
        "asked": way.request,
        "back": way.back,
        "form": form,
        "problem": problem,
        "is_collected": way.back is not None and way.back.status != ParcelStatus.BOOKED,
    }
    return SafeString(render_to_string("parcels/recipient_return.html", context, request))


def way_back(public_parcel: PublicParcel) -> WayBack:
    """Read what is known of a parcel's return, each row in its own scope."""
    parcel = public_parcel.parcel
    with scope(Scope.parcel(parcel.id)):
        request = request_of(parcel.id)
    back = None
    if parcel.returned_by_id is not None:
        with scope(Scope.parcel(parcel.returned_by_id)):
            back = Parcel.objects.filter(pk=parcel.returned_by_id).first()
    return WayBack(known_policy(parcel.merchant_id), request, back)


def _url(public_parcel: PublicParcel) -> str:
    return reverse("parcels:track_return", args=[public_parcel.parcel.number])
