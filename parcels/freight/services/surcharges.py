"""Enter surcharges into an open month, and take them back by others."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.models import Organisation
from alliance.tenancy import Actor, require
from alliance.text_faults import fault_of
from alliance.texts import one_line
from alliance.wording import amount
from parcels.bookings.models import Parcel
from parcels.freight.models import FreightDay, FreightStatement, FreightSum, Surcharge
from slas.credits.models import ClosedMonth
from slas.credits.months import month_of, spell
from slas.credits.services.entries import lock_books, open_month
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
    require_courier(actor, courier_id)
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
        errors.append(FieldError("/tracking_number", message, "unknown"))
    if errors or merchant is None:
        raise InvalidInput(errors=errors)
    if _is_closed(terms.month):
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
    _record(actor, "surcharge.added", surcharge)
    return surcharge


@transaction.atomic
def withdraw_surcharge(*, actor: Actor, surcharge_id: int, reason: str, now: datetime) -> Surcharge:
    """Take a surcharge back by another one of the opposite amount; return that one, also when asked again.

    It is of the same month, or of the first open one if that is closed. By the courier's finance, or ops'.
    Raises NotFound, NotPermitted for the merchant, InvalidInput, Conflict for what takes back another.
    """
    require(actor, Capability.SETTLE)
    lock_books()
    surcharge: Surcharge | None = Surcharge.objects.visible_to(actor).filter(pk=surcharge_id).first()
    if surcharge is None:
        raise NotFound
    require_courier(actor, surcharge.courier_id)
    if errors := list(_problems_of_text("/reason", reason)):
        raise InvalidInput(errors=errors)
    if surcharge.withdraws_id is not None:
        raise Conflict(_("It takes back another surcharge: enter a new one."), code="is_withdrawal")
    # Of two at once, the second waits here, and finds what the first has written.
    withdrawal, is_new = Surcharge.objects.get_or_create(
        withdraws=surcharge,
        defaults={
            "month": open_month(now) if _is_closed(surcharge.month) else surcharge.month,
            "merchant_id": surcharge.merchant_id,
            "courier_id": surcharge.courier_id,
            "amount_fen": -surcharge.amount_fen,
            "reason": one_line(reason),
            "parcel_number": surcharge.parcel_number,
            "entered_by_id": actor.user_id,
            "entered_at": now,
        },
    )
    if is_new:
        _record(actor, "surcharge.withdrawn", withdrawal)
    return withdrawal


def require_courier(actor: Actor, courier_id: int) -> None:
    """Raise NotPermitted unless the actor is finance of this courier, or ops'."""
    require(actor, Capability.SETTLE)
    if not actor.is_ops and not (actor.is_courier and actor.organisation_id == courier_id):
        raise NotPermitted(_("Surcharges are entered by the courier."))


def _record(actor: Actor, verb: str, surcharge: Surcharge) -> None:
    # Without the reason: what people write about a parcel is in one place.
    audit.record(
        actor=actor,
        verb=verb,
        object_type="surcharge",
        object_id=surcharge.pk,
        organisation_id=surcharge.courier_id,
        detail={
            "merchant": surcharge.merchant.public_id,
            "month": spell(surcharge.month),
            "amount": yuan(surcharge.amount_fen),
            "number": surcharge.parcel_number,
            "withdraws": surcharge.withdraws_id,
        },
    )


def _is_closed(month: date) -> bool:
    return ClosedMonth.objects.filter(month__gte=month).exists()


def _merchant(public_id: str) -> Organisation | None:
    return Organisation.objects.merchants_by_id(public_id).first()


def _is_customer(merchant: Organisation, courier_id: int) -> bool:
    # Sums of days are kept for some months, statements for ever.
    sums, statements = FreightSum.objects, FreightStatement.objects
    pair = {"merchant": merchant, "courier_id": courier_id}
    return sums.filter(**pair).exists() or statements.filter(**pair).exists()


def _is_theirs(number: str, merchant: Organisation, courier_id: int) -> bool:
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber:
        return False
    return Parcel.objects.filter(pk=parcel_id, merchant_id=merchant.pk, courier_id=courier_id).exists()


def _problems(terms: SurchargeTerms, now: datetime) -> Iterator[FieldError]:
    if not 0 < abs(terms.amount_fen) <= MOST_FEN:
        message = _("Enter an amount up to %(most)s, not 0.") % {"most": amount(yuan(MOST_FEN))}
        yield FieldError("/amount", message, "range")
    yield from _problems_of_text("/reason", terms.reason)
    if terms.month > month_of(now):
        yield FieldError("/month", _("This month has not begun."), "future")
    elif not _is_closed(terms.month) and terms.month < _first_month(now):
        yield FieldError("/month", _("There is no freight of this month."), "too_early")


def _problems_of_text(pointer: str, text: str) -> Iterator[FieldError]:
    reason = one_line(text)
    if not reason:
        yield FieldError(pointer, _("Enter a reason."), "required")
    elif len(reason) > REASON_LENGTH:
        yield FieldError(pointer, _("Use at most %d characters.") % REASON_LENGTH, "max_length")
    elif fault := fault_of(reason):
        yield FieldError(pointer, fault.message, fault.code)


def _first_month(now: datetime) -> date:
    """The first month of which freight is counted: an older one would never be closed."""
    first = FreightDay.objects.order_by("day").values_list("day", flat=True).first()
    return month_of(now) if first is None else first.replace(day=1)
