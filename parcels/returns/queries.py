"""Read what may come back, what merchants allow, and what recipients asked for."""

import time
from typing import Final

from django.db.models import Q

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.models import Parcel, PickupAddress
from parcels.choices import ScanCode
from parcels.returns.models import ReturnPolicy, ReturnRequest
from parcels.returns.rules import Policy, Sent
from parcels.scans.models import Scan
from parcels.tracking.causes import TELLING, TELLING_CODES, cause_of

# How long a process remembers what a merchant allows, and of how many merchants.
KNOWN_SECONDS: Final = 60
_MOST_KNOWN: Final = 10_000
_known: dict[int, tuple[float, Policy]] = {}


def sent_of(actor: Actor, parcel: Parcel) -> Sent:
    """What decides whether a parcel may come back. One query, for a status that needs its scan."""
    return Sent(
        status=parcel.status,
        reason=_reason_of(actor, parcel) if parcel.status in TELLING else "",
        is_return=parcel.return_of_id is not None,
        is_erased=parcel.erased_at is not None,
        has_recipient=bool(parcel.recipient_name and parcel.recipient_address),
    )


def own_policy(merchant_id: int) -> Policy:
    """What a merchant allows its recipients; nothing until it says so. In a scope that may read it."""
    found = ReturnPolicy.objects.filter(pk=merchant_id).first()
    return found.terms if found else Policy()


def known_policy(merchant_id: int) -> Policy:
    """The same for the tracking page, as each process remembers it for a minute: it is read very often."""
    until, policy = _known.get(merchant_id, (0.0, Policy()))
    if until < (now := time.monotonic()):
        with scope(Scope.merchant(merchant_id)):
            policy = own_policy(merchant_id)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[merchant_id] = (now + KNOWN_SECONDS, policy)
    return policy


def forget_policies() -> None:
    _known.clear()


def request_of(parcel_id: int) -> ReturnRequest | None:
    """The request for a parcel's return, if its recipient made one. In a scope that may read it."""
    request: ReturnRequest | None = ReturnRequest.objects.filter(pk=parcel_id).first()
    return request


def return_addresses(actor: Actor) -> list[PickupAddress]:
    """The merchant's addresses to which a return may go, the default first."""
    addresses = PickupAddress.objects.visible_to(actor).select_related("city")
    return list(addresses.order_by("-is_default", "name"))


def holder_of(parcel: Parcel) -> str:
    """The name of the courier from which a refused parcel's return is collected; "" for any other."""
    if parcel.held_by_id is None:
        return ""
    # Everybody may read the names of organisations that they trade with; its rival may not know this one.
    with scope(Scope.everything()):
        names = Organisation.objects.filter(pk=parcel.held_by_id).values_list("name", flat=True)
        return str(names.first() or "")


def _reason_of(actor: Actor, parcel: Parcel) -> str:
    scans = Scan.objects.visible_to(actor).filter(
        Q(code=ScanCode.CORRECTION) | Q(code__in=TELLING_CODES, occurred_at=parcel.status_at),
        parcel_id=parcel.pk,
    )
    cause = cause_of(parcel.status, parcel.status_at, scans)
    return cause.reason if cause else ""
