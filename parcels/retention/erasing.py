"""Erasure of recipients' personal data: some time after a parcel's end by itself, or earlier when asked.

What goes: name, phone and address of the recipient, what people wrote about the parcel (notes of claims
and decisions, reasons of revisions) and the files that go with it. What stays says nothing about a person:
times, places as cities, outcomes, rates, credits. `alliance.personal_data` lists every column.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.identifiers import EPOCH, parcel_id_at
from alliance.models import IdempotentRequest
from alliance.tenancy import Actor, Scope, raw_rows, require, scope
from couriers.documents.files import private_storage
from parcels.booking_files.services.retention import forget_recipient
from parcels.bookings.models import Parcel
from parcels.scans.rules import TERMINAL
from slas.choices import ExcuseState
from slas.models import Excuse, Revision

# Parcels a transaction, and how long one call may go on.
SLICE: Final = 2_000
BUDGET_SECONDS: Final = 600.0
REASON_LENGTH: Final = 300

# By the index of what is not erased. Parcels on their way or with a claim to decide are passed over.
_DUE = f"""
SELECT id FROM parcels_parcel p
WHERE erased_at IS NULL AND id > %(after)s AND id < %(booked_before)s
    AND CASE WHEN status IN ({", ".join(f"'{status.value}'" for status in sorted(TERMINAL))})
        THEN greatest(status_at, last_scan_at) < %(ended_before)s
        ELSE greatest(status_at, last_scan_at) < %(heard_before)s END
    AND NOT EXISTS (SELECT FROM slas_excuse e WHERE e.parcel_id = p.id AND e.state = '{ExcuseState.CLAIMED}')
ORDER BY id LIMIT %(limit)s
"""  # noqa: S608 -- built of constants
# What was written after a recipient was erased: a claim, a decision. A look-up each, as there are few; if it
# were a join, all parcels would be read.
_ADDED = f"""
WITH written AS (
    SELECT parcel_id FROM slas_excuse
    WHERE (note <> '' OR decision_note <> '' OR evidence <> '') AND state <> '{ExcuseState.CLAIMED}'
        AND greatest(claimed_at, decided_at) < %(ended_before)s
    UNION
    SELECT parcel_id FROM slas_revision WHERE reason <> '' AND created_at < %(ended_before)s
)
SELECT parcel_id FROM written
WHERE (SELECT p.erased_at IS NULL FROM parcels_parcel p WHERE p.id = written.parcel_id) IS NOT TRUE
LIMIT %(limit)s
"""  # noqa: S608 -- built of constants
_ERASE = """
UPDATE parcels_parcel SET recipient_name = '', recipient_phone = '', recipient_address = '', erased_at = %s
WHERE id = ANY(%s) AND erased_at IS NULL RETURNING id
"""


def erase_due(*, now: datetime, limit: int = SLICE, budget: float = BUDGET_SECONDS) -> int:
    """Erase recipients whose time has come, a slice a transaction; return of how many parcels.

    May run twice, side by side, or be killed anywhere: a slice is erased as a whole, and its
    files are deleted before it is marked.
    """
    until, erased, after = time.monotonic() + budget, 0, 0
    ended_before = now - timedelta(days=settings.ERASE_AFTER_DAYS)
    while time.monotonic() < until:
        with scope(Scope.everything()):
            due = [
                row[0]
                for row in raw_rows(
                    _DUE,
                    {
                        "after": after,
                        "booked_before": parcel_id_at(max(ended_before, EPOCH)),
                        "ended_before": ended_before,
                        "heard_before": now - timedelta(days=settings.ERASE_UNENDED_AFTER_DAYS),
                        "limit": limit,
                    },
                )
            ]
            erased += _erase(due, now)
        if len(due) < limit:
            break
        after = due[-1]
    _erase_added(ended_before, now, limit=limit, until=until)
    return erased


def erase_early(*, actor: Actor, parcel_id: int, reason: str, now: datetime) -> Parcel:
    """Erase a parcel's recipient because recipient or merchant asks for it. Who did so, and why, is recorded.

    Erasing again changes nothing. Raises NotPermitted for everybody but operators, InvalidInput without a
    reason, Conflict while the parcel is on its way or a claim about it waits for a decision.
    """
    require(actor, Capability.OPERATE)
    why = " ".join(reason.split())
    if not why or len(why) > REASON_LENGTH:
        message = _("Say who asked for it and why, in at most %(most)d characters.") % {"most": REASON_LENGTH}
        raise InvalidInput(message, errors=[FieldError("/reason", message, "required")])
    parcel: Parcel | None = Parcel.objects.select_for_update(no_key=True).filter(pk=parcel_id).first()
    if parcel is None:
        raise NotFound
    if parcel.erased_at:
        return parcel
    if parcel.status not in TERMINAL:
        message = _("%(number)s is still on its way: its courier needs the address.")
        raise Conflict(message % {"number": parcel.number}, code="under_way")
    if Excuse.objects.waiting().filter(parcel_id=parcel_id).exists():
        message = _("A claim about %(number)s waits for a decision: decide it first.")
        raise Conflict(message % {"number": parcel.number}, code="claim_waiting")
    _erase([parcel_id], now)
    forget_recipient(merchant_id=parcel.merchant_id, phone=parcel.recipient_phone, now=now)
    # Answers to its booking, kept for a day, name the parcel by its number.
    IdempotentRequest.objects.filter(
        organisation_id=parcel.merchant_id, answer__contains=parcel.number
    ).delete()
    audit.record(
        actor=actor,
        verb="parcel.erased",
        object_type="parcel",
        object_id=parcel_id,
        organisation_id=parcel.merchant_id,
        detail={"number": parcel.number, "reason": why},
    )
    parcel.refresh_from_db()
    return parcel


def _erase_added(ended_before: datetime, now: datetime, *, limit: int, until: float) -> None:
    while time.monotonic() < until:
        with scope(Scope.everything()):
            late = [row[0] for row in raw_rows(_ADDED, {"ended_before": ended_before, "limit": limit})]
            _erase(late, now)
        if len(late) < limit:
            break


def _erase(parcel_ids: Sequence[int], now: datetime) -> int:
    """Erase what is known of these parcels' recipients, in the current transaction."""
    if not parcel_ids:
        return 0
    # One that was claimed a moment ago is still to be decided on.
    excuses = Excuse.objects.filter(parcel_id__in=parcel_ids).exclude(state=ExcuseState.CLAIMED)
    # The files first: cut off after that, the next run finds their names again and deletes nothing twice.
    for name in excuses.exclude(evidence="").values_list("evidence", flat=True):
        private_storage().delete(name)
    excuses.update(note="", decision_note="", evidence="", evidence_name="")
    Revision.objects.filter(parcel_id__in=parcel_ids).exclude(reason="").update(reason="")
    return len(raw_rows(_ERASE, [now, list(parcel_ids)]))
