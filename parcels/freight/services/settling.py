"""Mark a final month as settled, by who received the money; and take that back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.tenancy import Actor, require
from alliance.text_faults import fault_of
from alliance.texts import one_line
from parcels.freight.models import FreightStatement
from parcels.freight.rules import total_fen
from slas.credits.months import ZONE, spell

# Statements that are marked by one call.
MOST_AT_ONCE: Final = 500
REFERENCE_LENGTH: Final = 80
NOTE_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Payment:
    """What the payee says of a payment."""

    on: date
    reference: str = ""
    note: str = ""


@transaction.atomic
def mark_settled(*, actor: Actor, statement_id: int, payment: Payment, now: datetime) -> FreightStatement:
    """Mark a final month of one merchant and courier as settled.

    By the payee's finance, or ops'. Raises NotPermitted for the payer, NotFound for a month that is not
    theirs, InvalidInput, Conflict if it is settled already.
    """
    statement = _own(actor, statement_id)
    reference, note = one_line(payment.reference), one_line(payment.note)
    errors = []
    if not statement.month <= payment.on <= now.astimezone(ZONE).date():
        message = _("Enter a day from the month itself until today.")
        errors.append(FieldError("/settled_on", message, "range"))
    for name, text, limit in (("reference", reference, REFERENCE_LENGTH), ("note", note, NOTE_LENGTH)):
        if len(text) > limit:
            errors.append(FieldError(f"/{name}", _("Use at most %d characters.") % limit, "max_length"))
        elif fault := fault_of(text):
            errors.append(FieldError(f"/{name}", fault.message, fault.code))
    if errors:
        raise InvalidInput(errors=errors)
    values = {"settled_on": payment.on, "settled_reference": reference, "settled_note": note}
    # Of two at once, one has nothing left to mark.
    unsettled = FreightStatement.objects.filter(pk=statement.pk, settled_at=None)
    if not unsettled.update(**values, settled_at=now):
        raise Conflict(_("This month is marked as settled already."), code="already_settled")
    _record(actor, "freight.settled", statement, {**values, "settled_on": payment.on.isoformat()})
    return _own(actor, statement_id)


@transaction.atomic
def mark_all_settled(*, actor: Actor, statement_ids: Sequence[int], payment: Payment, now: datetime) -> int:
    """Mark statements as settled by one payment, and return how many.

    Those that are settled already stay as they are; otherwise all or none. Raises as mark_settled() does,
    InvalidInput for more than MOST_AT_ONCE.
    """
    require(actor, Capability.SETTLE)
    if len(statement_ids) > MOST_AT_ONCE:
        message = _("Use at most %(most)d at once.") % {"most": MOST_AT_ONCE}
        raise InvalidInput(errors=[FieldError("", message, "too_many")])
    settled = 0
    # In one order, as two calls may have the same ones.
    for statement_id in sorted({*statement_ids}):
        try:
            with transaction.atomic():
                mark_settled(actor=actor, statement_id=statement_id, payment=payment, now=now)
        except Conflict:
            continue
        settled += 1
    return settled


@transaction.atomic
def undo_settled(*, actor: Actor, statement_id: int, reason: str) -> FreightStatement:
    """Take back that a month is settled, for a reason. Raises Conflict if it is not settled."""
    statement = _own(actor, statement_id)
    reason = one_line(reason)
    if not reason:
        raise InvalidInput(errors=[FieldError("/reason", _("Enter a reason."), "required")])
    if len(reason) > NOTE_LENGTH:
        message = _("Use at most %d characters.") % NOTE_LENGTH
        raise InvalidInput(errors=[FieldError("/reason", message, "max_length")])
    if fault := fault_of(reason):
        raise InvalidInput(errors=[FieldError("/reason", fault.message, fault.code)])
    settled = FreightStatement.objects.filter(pk=statement.pk, settled_at__isnull=False)
    values: dict[str, Any] = {
        "settled_on": None, "settled_at": None, "settled_reference": "", "settled_note": "",
    }  # fmt: skip
    if not settled.update(**values):
        raise Conflict(_("This month is not marked as settled."), code="not_settled")
    detail = {
        "reason": reason,
        "settled_on": statement.settled_on and statement.settled_on.isoformat(),
        "settled_reference": statement.settled_reference,
    }
    _record(actor, "freight.unsettled", statement, detail)
    return _own(actor, statement_id)


def may_settle(actor: Actor, statement: FreightStatement) -> bool:
    """Whether the actor is the payee: the courier, or the merchant if it is owed more than it owes."""
    payee_id = statement.courier_id if total_fen(statement) >= 0 else statement.merchant_id
    return actor.can(Capability.SETTLE) and (actor.is_ops or actor.organisation_id == payee_id)


def _own(actor: Actor, statement_id: int) -> FreightStatement:
    require(actor, Capability.SETTLE)
    statement: FreightStatement | None = (
        FreightStatement.objects.visible_to(actor).filter(pk=statement_id).first()
    )
    if statement is None:
        raise NotFound
    if not may_settle(actor, statement):
        raise NotPermitted(_("A month is marked as settled by who received the money."))
    return statement


def _record(actor: Actor, verb: str, statement: FreightStatement, detail: dict[str, Any]) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="freight_statement",
        object_id=statement.pk,
        detail={"month": spell(statement.month), **detail},
    )
