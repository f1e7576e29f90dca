"""Another day for a delivery: by the recipient, who proves it, by the merchant, and by ops.

Which days there are and what follows from one is for slas to say; here is who may ask, of which
parcel. See docs/revisions.md.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final, Protocol

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alliance.choices import Capability
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound, TooMany
from alliance.tenancy import Actor, Scope, require, scope
from parcels.bookings.models import Parcel
from parcels.choices import ParcelSource, ParcelStatus
from parcels.revisions.models import RecipientProof
from parcels.scans.rules import TERMINAL
from slas.choices import RevisionParty
from slas.models import Revision
from slas.revisions.rules import DeliveryDay
from slas.revisions.services import Promised, RevisionRequest, days_to_choose, refusal_of, revise_delivery

# Who wrote a revision down when nobody but the recipient did.
RECIPIENT: Final = "recipient, tracking page"
DIGITS: Final = 4
# Of 10,000 combinations: one guesser in 2,000 gets through, and learns nothing but a later day.
MOST_WRONG: Final = 5
FORGOTTEN_AFTER: Final = timedelta(days=1)
# What is going back, or has come to its end, has no delivery to move.
_OVER: Final = frozenset({*TERMINAL, ParcelStatus.RETURNING})
# As many as a recipient is shown.
DAYS_SHOWN: Final = 7


class Deliverable(Protocol):
    """What is read of a parcel to tell whether its delivery can still be moved."""

    @property
    def status(self) -> str: ...
    @property
    def source(self) -> str: ...


def revise_parcel(*, actor: Actor, parcel_id: int, asked: RevisionRequest, now: datetime) -> Revision:
    """Move a parcel's delivery to another day, by its merchant or ops.

    Raises NotPermitted for couriers, NotFound for somebody else's, and what `revise_delivery` raises.
    """
    require(actor, Capability.BOOK_PARCELS)
    with transaction.atomic():
        # Scans fold under the same row lock: the status read here is the one that holds.
        parcel = Parcel.objects.visible_to(actor).select_for_update(no_key=True).filter(pk=parcel_id).first()
        if parcel is None:
            raise NotFound
        _refuse_over(parcel)
        return revise_delivery(actor=actor, parcel_id=parcel_id, asked=asked, now=now)


def revise_for_recipient(*, parcel_id: int, digits: str, asked: RevisionRequest, now: datetime) -> Revision:
    """Move a parcel's delivery to the day its recipient wishes, who knows the phone's last digits.

    Call it where an error does not roll the transaction back: failed attempts must stay counted.
    Raises NotFound for an unknown parcel, InvalidInput for wrong digits, TooMany after MOST_WRONG of
    them, and what `revise_delivery` raises.
    """
    with scope(Scope.parcel(parcel_id)):
        parcel = Parcel.objects.filter(pk=parcel_id).first()
    if parcel is None:
        raise NotFound
    _refuse_over(parcel)
    # From here on for the merchant, who is told: the page's own scope writes nothing.
    with scope(Scope.merchant(parcel.merchant_id)):
        refusal = _prove(parcel, digits, now)
    if refusal is not None:
        raise refusal
    recipient = Actor.system(RECIPIENT)
    with scope(Scope.merchant(parcel.merchant_id)):
        return revise_parcel(actor=recipient, parcel_id=parcel_id, asked=asked, now=now)


def days_for_recipient(*, parcel: Deliverable, promised: Promised | None, now: datetime) -> list[DeliveryDay]:
    """Return the days a recipient can choose from on the tracking page; none when it cannot ask."""
    if promised is None or not may_choose_day(parcel=parcel, promised=promised, now=now):
        return []
    return days_to_choose(
        promised=promised,
        parties=[RevisionParty.RECIPIENT],
        now=now,
        most=DAYS_SHOWN,
    )


def may_choose_day(*, parcel: Deliverable, promised: Promised | None, now: datetime) -> bool:
    """Tell whether a recipient may ask for another day at all, which costs no query."""
    # Of a parcel from before it joined no phone is known: nobody could prove anything.
    if promised is None or parcel.status in _OVER or parcel.source == ParcelSource.HISTORY:
        return False
    return refusal_of(promised=promised, parties=[RevisionParty.RECIPIENT], now=now) is None


def days_for_merchant(
    *, actor: Actor, parcel: Parcel, promised: Promised | None, now: datetime
) -> list[DeliveryDay]:
    """Return the days a parcel can be moved to by the actor; none for who may not move it."""
    if promised is None or actor.is_courier or not actor.can(Capability.BOOK_PARCELS):
        return []
    if parcel.status in _OVER:
        return []
    return days_to_choose(promised=promised, parties=list(RevisionParty), now=now)


def why_no_day(
    *, parcel: Deliverable, promised: Promised | None, parties: Sequence[RevisionParty], now: datetime
) -> str:
    """Return why none of the parties may ask for another day, unless the page says so anyhow; else ""."""
    if promised is None or parcel.status in _OVER or parcel.source == ParcelSource.HISTORY:
        return ""
    refusal = refusal_of(promised=promised, parties=parties, now=now)
    # That it has come, is late or lost stands on top of every page of it.
    return refusal.detail if refusal and refusal.reason == "too_many_revisions" else ""


def _refuse_over(parcel: Parcel) -> None:
    if parcel.status in _OVER:
        detail = _("This parcel is “%(status)s”: there is no delivery to move.")
        raise Conflict(detail % {"status": parcel.get_status_display()}, code="settled")


def _prove(parcel: Parcel, digits: str, now: datetime) -> AllianceError | None:
    """Compare the digits; return what is wrong. Counts failures, one attempt at a time."""
    given = _ascii_digits("".join(digits.split()))
    if len(given) != DIGITS or len("".join(digits.split())) != DIGITS:
        message = _("Give the last %(count)d digits of the phone number.") % {"count": DIGITS}
        return InvalidInput(errors=[FieldError("/digits", message, "format")])
    known = _ascii_digits(parcel.recipient_phone)[-DIGITS:]
    if len(known) < DIGITS:
        detail = _("The shop has left no phone number with this parcel. Ask the shop for another day.")
        return Conflict(detail, code="no_phone")
    RecipientProof.objects.get_or_create(
        parcel_id=parcel.pk, defaults={"merchant_id": parcel.merchant_id, "since": now}
    )
    proof = RecipientProof.objects.select_for_update().get(parcel_id=parcel.pk)
    if proof.since + FORGOTTEN_AFTER <= now:
        proof.failed, proof.since = 0, now
    if proof.failed >= MOST_WRONG:
        return _locked_out(proof, now)
    if compare_digest(given, known):
        # Not forgotten: who knows the number of one parcel need not get more guesses by it.
        return None
    proof.failed += 1
    proof.save(update_fields=["failed", "since"])
    left = MOST_WRONG - proof.failed
    message = ngettext(
        "These are not the last digits of the recipient's phone number. %(left)d attempt is left.",
        "These are not the last digits of the recipient's phone number. %(left)d attempts are left.",
        left,
    )
    return InvalidInput(errors=[FieldError("/digits", message % {"left": left}, "wrong")])


def _ascii_digits(text: str) -> str:
    """The digits of a text, full-width ones made plain."""
    return re.sub("[^0-9]", "", unicodedata.normalize("NFKC", text))


def _locked_out(proof: RecipientProof, now: datetime) -> TooMany:
    wait = int((proof.since + FORGOTTEN_AFTER - now).total_seconds()) + 1
    detail = _("Wrong digits were given too often. Try again tomorrow, or ask the shop for another day.")
    return TooMany(detail, code="too_many_attempts", retry_after=wait)
