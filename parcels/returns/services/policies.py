"""What a merchant allows its recipients to send back."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput, NotPermitted
from alliance.tenancy import Actor, require
from alliance.texts import one_line
from parcels.bookings.rules import text_problems
from parcels.choices import ReturnReason
from parcels.returns.models import ReturnPolicy
from parcels.returns.queries import forget_policies, own_policy
from parcels.returns.rules import LONGEST_WINDOW_DAYS, NOTE_LENGTH, Policy


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """A policy as somebody sent it."""

    is_allowed: bool
    window_days: int
    reasons: Sequence[str]
    note: str = ""


def read_policy(*, actor: Actor) -> Policy:
    """Return the acting merchant's policy. Raises NotPermitted for all others."""
    require(actor, Capability.BOOK_PARCELS)
    return own_policy(_merchant(actor))


def save_policy(*, actor: Actor, terms: PolicyTerms) -> Policy:
    """Set what the acting merchant's recipients may ask for; saving the same again changes nothing.

    Requests that were made stay. Raises NotPermitted, and InvalidInput with all that is wrong.
    """
    require(actor, Capability.ALLOCATE)
    merchant_id, note = _merchant(actor), one_line(terms.note)
    _refuse(terms, note)
    reasons = [value for value in ReturnReason.values if value in terms.reasons]
    policy = Policy(terms.is_allowed, terms.window_days, tuple(reasons), note)
    with transaction.atomic():
        if own_policy(merchant_id) == policy:
            return policy
        ReturnPolicy.objects.update_or_create(
            merchant_id=merchant_id,
            defaults={
                "is_allowed": policy.is_allowed,
                "window_days": policy.window_days,
                "reasons": reasons,
                "note": note,
                "changed_at": timezone.now(),
            },
        )
        audit.record(
            actor=actor,
            verb="return_policy.changed",
            object_type="merchant",
            object_id=merchant_id,
            detail={"allowed": policy.is_allowed, "window_days": policy.window_days, "reasons": reasons},
        )
    forget_policies()
    return policy


def _refuse(terms: PolicyTerms, note: str) -> None:
    problems = list(text_problems("/note", note, NOTE_LENGTH, required=False))
    if not 1 <= terms.window_days <= LONGEST_WINDOW_DAYS:
        message = _("Enter 1 to %(most)d days.") % {"most": LONGEST_WINDOW_DAYS}
        problems.append(FieldError("/window_days", message, "out_of_range"))
    if unknown := [reason for reason in terms.reasons if reason not in ReturnReason.values]:
        message = _("Unknown reason “%(reason)s”. Choose from: %(reasons)s.") % {
            "reason": unknown[0][:40],
            "reasons": ", ".join(ReturnReason.values),
        }
        problems.append(FieldError("/reasons", message, "unknown"))
    elif not terms.reasons:
        problems.append(FieldError("/reasons", _("Choose at least one reason."), "required"))
    if problems:
        raise InvalidInput(errors=problems)


def _merchant(actor: Actor) -> int:
    if not actor.is_merchant or actor.organisation_id is None:
        raise NotPermitted
    return actor.organisation_id
