"""Prove that somebody is a parcel's recipient, by the last digits of the phone."""

from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alliance.durations import duration_text
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, TooMany
from alliance.phones import proofs_of
from alliance.texts import plain
from parcels.bookings.models import Parcel
from parcels.revisions.models import RecipientProof
from parcels.revisions.rules import tries_left, wait_after

DIGITS: Final = 4
FORGOTTEN_AFTER: Final = timedelta(days=1)
# Addresses whose wrong answers are remembered, per parcel.
MOST_ADDRESSES: Final = 200


def failed_proof(*, parcel: Parcel, digits: str, address: str, now: datetime) -> AllianceError | None:
    """Compare the digits with the recipient's phone; return an error if they differ.

    Counts failures by the address they come from; attempts are serialised. Call it in the merchant's scope,
    and raise the error outside of it: a rollback would take the count back.
    """
    entered = "".join(plain(digits).split())
    if len(entered) != DIGITS or not (entered.isascii() and entered.isdigit()):
        message = _("Enter the last %(count)d digits of the phone number.") % {"count": DIGITS}
        return InvalidInput(errors=[FieldError("/digits", message, "format")])
    expected = proofs_of(parcel.recipient_phone)
    if not expected:
        detail = _("The shop left no phone number for this parcel. Ask the shop.")
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
    detail = _("The digits were wrong too often. Try again in %(time)s, or ask the shop.")
    return TooMany(
        detail % {"time": duration_text(timedelta(seconds=seconds))},
        code="too_many_attempts",
        retry_after=seconds,
    )
