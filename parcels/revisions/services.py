"""Move a delivery to another day: for recipients with a proof, for merchants and for ops.

slas decides the possible days and their consequences; this module decides who may ask, and for which
parcels. See docs/revisions.md.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final, Protocol

from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alliance.choices import Capability
from alliance.durations import duration_text
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound, TooMany
from alliance.phones import proofs_of
from alliance.tenancy import Actor, Scope, require, scope
from alliance.texts import plain
from alliance.wording import sentences
from parcels.bookings.models import Parcel
from parcels.choices import ParcelSource, ParcelStatus
from parcels.revisions.models import RecipientProof
from parcels.revisions.rules import tries_left, wait_after
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
DIGITS: Final = 4
FORGOTTEN_AFTER: Final = timedelta(days=1)
# Addresses whose wrong answers are remembered, per parcel.
MOST_ADDRESSES: Final = 200
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
        refusal = _prove(parcel, digits, address, now)
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
    if promised is None or parcel.status in OVER or parcel.source == ParcelSource.HISTORY:
        return False
    return refusal_of(promised=promised, parties=[RevisionParty.RECIPIENT]) is None


def days_for_merchant(
    *, actor: Actor, parcel: Parcel, promised: Promised | None, now: datetime
) -> list[DeliveryDay]:
    """Return the days to which the actor can move a parcel; empty if the actor may not move it."""
    if promised is None or actor.is_courier or not actor.can(Capability.BOOK_PARCELS):
        return []
    if parcel.status in OVER:
        return []
    return days_to_choose(promised=promised, parties=[RevisionParty.MERCHANT], now=now)


def why_no_day(*, parcel: Deliverable, promised: Promised | None, party: RevisionParty) -> str:
    """Return why the party may not ask for another day; "" if it may or the page already shows it."""
    if promised is None or parcel.status in OVER or parcel.source == ParcelSource.HISTORY:
        return ""
    refusal = refusal_of(promised=promised, parties=[party])
    # Delivered, late and lost are already shown at the top of the page.
    if refusal is None or refusal.reason != "too_many_revisions":
        return ""
    is_recipient = party == RevisionParty.RECIPIENT
    return sentences(refusal.detail, _("If you need another day, ask the shop.") if is_recipient else "")


def _refuse_over(parcel: Parcel) -> None:
    if parcel.status in OVER:
        detail = _("This parcel is “%(status)s”: there is no delivery to reschedule.")
        raise Conflict(detail % {"status": parcel.get_status_display()}, code="settled")


def _prove(parcel: Parcel, digits: str, address: str, now: datetime) -> AllianceError | None:
    """Compare the digits; return an error if they differ. Counts failures; attempts are serialised."""
    entered = "".join(plain(digits).split())
    if len(entered) != DIGITS or not (entered.isascii() and entered.isdigit()):
        message = _("Enter the last %(count)d digits of the phone number.") % {"count": DIGITS}
        return InvalidInput(errors=[FieldError("/digits", message, "format")])
    expected = proofs_of(parcel.recipient_phone)
    if not expected:
        detail = _("The shop left no phone number for this parcel. Ask the shop to change the delivery day.")
        return Conflict(detail, code="no_phone")
    RecipientProof.objects.get_or_create(
        parcel_id=parcel.pk, defaults={"merchant_id": parcel.merchant_id, "since": now}
    )
    proof = RecipientProof.objects.select_for_update().get(parcel_id=parcel.pk)
    if proof.since + FORGOTTEN_AFTER <= now:
        proof.failed, proof.since, proof.by_address = 0, now, {}
    key = salted_hmac("parcels.revisions.proof", address).hexdigest()[:16]
    failed, last = proof.by_address.get(key, (0, 0.0))
    wait = timedelta(seconds=last) + wait_after(failed, proof.failed) - timedelta(seconds=now.timestamp())
    if wait > timedelta():
        return _must_wait(wait)
    # All of them are compared: the time taken must not tell which one was close.
    if any([compare_digest(entered, digits) for digits in expected]):
        # Failures stay counted: a success must not give more guesses.
        return None
    return _count(proof, key, failed + 1, now)


def _count(proof: RecipientProof, key: str, failed: int, now: datetime) -> AllianceError:
    """Count a wrong answer; return how many more the address has, or how long it waits."""
    proof.failed += 1
    latest = sorted({**proof.by_address, key: (failed, now.timestamp())}.items(), key=lambda item: item[1][1])
    # A guesser with many addresses must not make the row grow without end.
    proof.by_address = dict(latest[-MOST_ADDRESSES:])
    proof.save(update_fields=["failed", "since", "by_address"])
    left = tries_left(failed, proof.failed)
    if not left:
        return _must_wait(wait_after(failed, proof.failed))
    message = ngettext(
        "The digits do not match the recipient's phone number. %(left)d attempt is left.",
        "The digits do not match the recipient's phone number. %(left)d attempts are left.",
        left,
    )
    return InvalidInput(errors=[FieldError("/digits", message % {"left": left}, "wrong")])


def _must_wait(wait: timedelta) -> TooMany:
    seconds = int(wait.total_seconds()) + 1
    detail = _("The digits were wrong too often. Try again in %(time)s, or ask the shop to change the day.")
    return TooMany(
        detail % {"time": duration_text(timedelta(seconds=seconds))},
        code="too_many_attempts",
        retry_after=seconds,
    )
