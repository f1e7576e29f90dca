"""Enter surcharges into an open month."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotPermitted
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.models import Organisation
from alliance.tenancy import Actor, require
from alliance.text_faults import fault_of
from alliance.texts import one_line
from parcels.bookings.models import Parcel
from parcels.freight.models import FreightSum, Surcharge
from slas.credits.models import ClosedMonth
from slas.credits.months import month_of, spell
from slas.credits.services.entries import lock_books
from slas.promises.prices import yuan

REASON_LENGTH: Final = 200
MOST_FEN: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class SurchargeTerms:
    """A surcharge as somebody enters it; a negative amount takes off."""

    month: date
    merchant: str
    amount_fen: int
    reason: str
    number: str = ""


@transaction.atomic
def add_surcharge(*, actor: Actor, courier_id: int, terms: SurchargeTerms, now: datetime) -> Surcharge:
    """Add a surcharge of a courier to a merchant's open month.

    By the courier's finance, or ops'. Raises NotPermitted for others, InvalidInput for an unknown merchant or
    parcel, Conflict for a month that is closed.
    """
    require(actor, Capability.VIEW_FINANCE)
    if not actor.is_ops and not (actor.is_courier and actor.organisation_id == courier_id):
        raise NotPermitted(_("Surcharges are entered by the courier."))
    # The month is not closed until this has ended.
    lock_books()
    merchant = _merchant(terms.merchant)
    errors = list(_problems(terms, now))
    if merchant is None:
        errors.append(FieldError("/merchant", _("Unknown merchant."), "unknown"))
    elif not _is_customer(merchant, courier_id):
        message = _("This merchant has booked nothing with the courier so far.")
        errors.append(FieldError("/merchant", message, "no_bookings"))
    elif terms.number and not _is_theirs(terms.number, merchant, courier_id):
        message = _("No parcel of this merchant and courier has this number.")
        errors.append(FieldError("/number", message, "unknown"))
    if errors or merchant is None:
        raise InvalidInput(errors=errors)
    if ClosedMonth.objects.filter(month__gte=terms.month).exists():
        message = _("%(month)s is closed. Enter it for a month that is open.") % {"month": spell(terms.month)}
        raise Conflict(message, code="month_closed")
    surcharge = Surcharge.objects.create(
        month=terms.month,
        merchant=merchant,
        courier_id=courier_id,
        amount_fen=terms.amount_fen,
        reason=one_line(terms.reason),
        parcel_number=terms.number.strip().upper(),
        entered_by_id=actor.user_id,
        entered_at=now,
    )
    audit.record(
        actor=actor,
        verb="surcharge.added",
        object_type="surcharge",
        object_id=surcharge.pk,
        organisation_id=courier_id,
        detail={
            "merchant": merchant.public_id,
            "month": spell(terms.month),
            "amount": yuan(surcharge.amount_fen),
            "reason": surcharge.reason,
            "number": surcharge.parcel_number,
        },
    )
    return surcharge


def _merchant(public_id: str) -> Organisation | None:
    return Organisation.objects.merchants_by_id(public_id).first()


def _is_customer(merchant: Organisation, courier_id: int) -> bool:
    return FreightSum.objects.filter(merchant=merchant, courier_id=courier_id).exists()


def _is_theirs(number: str, merchant: Organisation, courier_id: int) -> bool:
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber:
        return False
    return Parcel.objects.filter(pk=parcel_id, merchant_id=merchant.pk, courier_id=courier_id).exists()


def _problems(terms: SurchargeTerms, now: datetime) -> list[FieldError]:
    errors = []
    if not 0 < abs(terms.amount_fen) <= MOST_FEN:
        message = _("Enter an amount up to 1,000,000.00, not 0.")
        errors.append(FieldError("/amount", message, "range"))
    reason = one_line(terms.reason)
    if not reason:
        errors.append(FieldError("/reason", _("Enter a reason."), "required"))
    elif len(reason) > REASON_LENGTH:
        message = _("Use at most %d characters.") % REASON_LENGTH
        errors.append(FieldError("/reason", message, "max_length"))
    elif fault := fault_of(reason):
        errors.append(FieldError("/reason", fault.message, fault.code))
    if terms.month > month_of(now):
        errors.append(FieldError("/month", _("This month has not begun."), "future"))
    return errors
