"""Which parcels come back, and which of them a recipient may ask to send back. Pure.

A parcel comes back as another parcel, with a number, a courier and promises of its own. Only a parcel that
was delivered, or that the recipient refused, has a way back of its own: what is already on its way back was
turned round by its courier, under its own number.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils.translation import gettext as _

from alliance.errors import Conflict
from parcels.choices import ParcelStatus, ReturnReason, ScanReason

# China's consumers may send back what they bought online within seven days.
DEFAULT_WINDOW_DAYS: Final = 7
LONGEST_WINDOW_DAYS: Final = 60
NOTE_LENGTH: Final = 300
S = ParcelStatus


@dataclass(frozen=True, slots=True)
class Policy:
    """What a merchant allows its recipients to ask for."""

    is_allowed: bool = False
    window_days: int = DEFAULT_WINDOW_DAYS
    reasons: tuple[str, ...] = tuple(ReturnReason.values)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What of an outward parcel decides whether it may come back."""

    status: str
    # The reason of the scan that decides the status, if any.
    reason: str
    is_return: bool
    is_erased: bool
    has_recipient: bool

    @property
    def is_refused(self) -> bool:
        """Whether the recipient refused it, and its courier still has it."""
        return self.status in {S.ATTEMPT_FAILED, S.EXCEPTION} and self.reason == ScanReason.CONSIGNEE_REFUSED


def refusal_of(sent: Sent) -> Conflict | None:
    """Why no return is issued for a parcel, with what to do instead; None if one may be."""
    if sent.is_return:
        return Conflict(
            _("This parcel is a return itself. To send it out again, book a new parcel."), code="is_return"
        )
    if sent.status in {S.RETURNING, S.RETURNED}:
        return Conflict(
            _("Its courier is bringing this parcel back already, under its own number."),
            code="already_returning",
        )
    if sent.is_refused:
        return None
    if sent.status != S.DELIVERED:
        detail = _(
            "Only a parcel that was delivered, or that the recipient refused, can be returned: this one "
            "is “%(status)s”."
        )
        return Conflict(detail % {"status": S(sent.status).label}, code="not_returnable")
    if sent.is_erased or not sent.has_recipient:
        return Conflict(
            _(
                "Nobody knows any more where to collect this parcel: its recipient's data are not here. "
                "Ask for the address and book a new parcel."
            ),
            code="no_recipient",
        )
    return None


def why_not_asked(policy: Policy, *, delivered_at: datetime | None, now: datetime) -> Conflict | None:
    """Why a recipient may not ask for a return; None if they may."""
    if not policy.is_allowed:
        return Conflict(_("This shop takes no requests here. Ask the shop itself."), code="not_allowed")
    if delivered_at is not None and now >= delivered_at + timedelta(days=policy.window_days):
        detail = _("Returns could be requested for %(days)d days after delivery. Ask the shop itself.")
        return Conflict(detail % {"days": policy.window_days}, code="too_late")
    return None


def offered(reasons: Collection[str]) -> list[tuple[str, str]]:
    """The reasons that a recipient may choose, in the order of the vocabulary."""
    return [(value, str(label)) for value, label in ReturnReason.choices if value in reasons]
