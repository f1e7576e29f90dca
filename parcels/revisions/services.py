"""Move a delivery to another day: for recipients with a proof, for merchants and for ops.

slas decides the possible days and their consequences; this module decides who may ask, and for which
parcels. See docs/revisions.md.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from django.db import transaction
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import Conflict, NotFound
from alliance.tenancy import Actor, Scope, require, scope
from alliance.wording import sentences
from parcels.bookings.models import Parcel
from parcels.choices import ParcelSource, ParcelStatus
from parcels.revisions.proofs import failed_proof
from parcels.scans.rules import TERMINAL
from slas.choices import RevisionParty
from slas.models import Revision
from slas.revisions.rules import DeliveryDay
from slas.revisions.services import (
    MovablePromise,
    Promised,
    RevisionRequest,
    days_to_choose,
    refusal_of,
    revise_delivery,
)

# The label of a revision that the recipient made on the tracking page.
RECIPIENT: Final = "recipient, tracking page"
# A parcel that is returning, waits to be collected or has a final status has no delivery to move.
OVER: Final = frozenset({*TERMINAL, ParcelStatus.RETURNING, ParcelStatus.AVAILABLE_FOR_PICKUP})
# The most days that a recipient is offered.
DAYS_SHOWN: Final = 7


class Deliverable(Protocol):
    """The fields of a parcel that decide whether its delivery can be moved."""

    @property
    def status(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def has_return(self) -> bool: ...


def revise_parcel(*, actor: Actor, parcel_id: int, asked: RevisionRequest, now: datetime) -> Revision:
    """Move a parcel's delivery to another day, for its merchant or ops.

    Raises NotPermitted for couriers, NotFound for another merchant's parcel, and what `revise_delivery`
    raises.
    """
    require(actor, Capability.BOOK_PARCELS)
    with transaction.atomic():
        # Scans fold under the same row lock, so the status cannot change until the commit.
        parcel = Parcel.objects.visible_to(actor).select_for_update(no_key=True).filter(pk=parcel_id).first()
        if parcel is None:
            raise NotFound
        _refuse_over(parcel)
        return revise_delivery(actor=actor, parcel_id=parcel_id, asked=asked, now=now)


def revise_for_recipient(
    *, parcel_id: int, digits: str, address: str, asked: RevisionRequest, now: datetime
) -> Revision:
    """Move a parcel's delivery to another day for its recipient, proved by the phone's last digits.

    Call it where an error does not roll the transaction back: failed attempts must be counted, by the
    address they come from. Raises NotFound for an unknown parcel, InvalidInput for wrong digits, TooMany
    while the address has to wait, and what `revise_delivery` raises.
    """
    with scope(Scope.parcel(parcel_id)):
        parcel = Parcel.objects.filter(pk=parcel_id).first()
    if parcel is None:
        raise NotFound
    _refuse_over(parcel)
    # The rest runs in the merchant's scope: the tracking page's scope cannot write.
    with scope(Scope.merchant(parcel.merchant_id)):
        refusal = failed_proof(parcel=parcel, digits=digits, address=address, now=now)
    if refusal is not None:
        raise refusal
    recipient = Actor.system(RECIPIENT)
    with scope(Scope.merchant(parcel.merchant_id)):
        proven = replace(asked, requested_by=RevisionParty.RECIPIENT, is_proven=True)
        return revise_parcel(actor=recipient, parcel_id=parcel_id, asked=proven, now=now)


def days_for_recipient(*, parcel: Deliverable, promised: Promised | None, now: datetime) -> list[DeliveryDay]:
    """Return the days a recipient can choose on the tracking page; empty if there is no choice."""
    if promised is None or not may_choose_day(parcel=parcel, promised=promised):
        return []
    return days_to_choose(
        promised=promised,
        parties=[RevisionParty.RECIPIENT],
        now=now,
        most=DAYS_SHOWN,
    )


def may_choose_day(*, parcel: Deliverable, promised: MovablePromise | None) -> bool:
    """Return whether a recipient may ask for another day. Needs no query."""
    # Imported parcels have no phone number, so a recipient has no proof.
    if promised is None or _is_over(parcel) or parcel.source == ParcelSource.HISTORY:
        return False
    return refusal_of(promised=promised, parties=[RevisionParty.RECIPIENT]) is None


def days_for_merchant(
    *, actor: Actor, parcel: Parcel, promised: Promised | None, now: datetime
) -> list[DeliveryDay]:
    """Return the days to which the actor can move a parcel; empty if the actor may not move it."""
    if promised is None or actor.is_courier or not actor.can(Capability.BOOK_PARCELS):
        return []
    if _is_over(parcel):
        return []
    return days_to_choose(promised=promised, parties=[RevisionParty.MERCHANT], now=now)


def why_no_day(*, parcel: Deliverable, promised: Promised | None, party: RevisionParty) -> str:
    """Return why the party may not ask for another day; "" if it may or the page already shows it."""
    if promised is None or _is_over(parcel) or parcel.source == ParcelSource.HISTORY:
        return ""
    refusal = refusal_of(promised=promised, parties=[party])
    # Delivered, late and lost are already shown at the top of the page.
    if refusal is None or refusal.reason != "too_many_revisions":
        return ""
    is_recipient = party == RevisionParty.RECIPIENT
    return sentences(refusal.detail, _("If you need another day, ask the shop.") if is_recipient else "")


def _is_over(parcel: Deliverable) -> bool:
    """Whether no delivery of it is to come; what was refused and has a return comes back by that."""
    return parcel.status in OVER or parcel.has_return


def _refuse_over(parcel: Parcel) -> None:
    if _is_over(parcel):
        detail = _("This parcel is “%(status)s”: there is no delivery to reschedule.")
        raise Conflict(detail % {"status": parcel.get_status_display()}, code="settled")
