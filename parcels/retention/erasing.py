"""Erase recipients' personal data: automatically some time after a parcel's end, or earlier on request.

Erased: the recipient's name, phone and address, also as the sender of a return, free text about the parcel
(notes of claims, requests and decisions, reasons of revisions, what couriers typed as a place) and its files.
Kept, because it identifies no person: times, cities, outcomes, rates, credits. `alliance.personal_data` lists
every column.
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
from parcels.manifests.services.making import forget_remarks
from parcels.recipients.services.retention import forget_saved
from parcels.returns.models import ReturnRequest
from parcels.scans.places import public_place
from parcels.scans.rules import TERMINAL
from parcels.shops.services.retention import forget_recipient_at_shops
from slas.choices import ExcuseState
from slas.models import Excuse, Revision

# Parcels per transaction, and the maximum duration of one call.
SLICE: Final = 2_000
BUDGET_SECONDS: Final = 600.0
REASON_LENGTH: Final = 300

# Uses the index of parcels not yet erased. Skips parcels in transit or with an undecided claim.
_DUE = f"""
SELECT id FROM parcels_parcel p
WHERE erased_at IS NULL AND id > %(after)s AND id < %(booked_before)s
    AND CASE WHEN status IN ({", ".join(f"'{status.value}'" for status in sorted(TERMINAL))})
        THEN greatest(status_at, last_scan_at) < %(ended_before)s
        ELSE greatest(status_at, last_scan_at) < %(heard_before)s END
    AND NOT EXISTS (
        SELECT 1 FROM slas_excuse e WHERE e.parcel_id = p.id AND e.state = '{ExcuseState.CLAIMED}')
ORDER BY id LIMIT %(limit)s
"""  # noqa: S608 -- built of constants
# Claims, requests and decisions that may have been written after the recipient was erased. There are few, so
# their parcels are looked up by key; a join would read all parcels.
_ADDED = f"""
WITH written AS (
    SELECT parcel_id FROM slas_excuse
    WHERE (note <> '' OR decision_note <> '' OR evidence <> '') AND state <> '{ExcuseState.CLAIMED}'
        AND greatest(claimed_at, decided_at) < %(ended_before)s
    UNION
    SELECT parcel_id FROM slas_revision WHERE reason <> '' AND created_at < %(ended_before)s
    UNION
    SELECT parcel_id FROM parcels_returnrequest
    WHERE NOT (answer = '' AND note = '') AND greatest(requested_at, decided_at) < %(ended_before)s
)
SELECT parcel_id FROM written WHERE parcel_id > %(after)s ORDER BY parcel_id LIMIT %(limit)s
"""  # noqa: S608 -- built of constants
_NOT_ERASED = "SELECT id FROM parcels_parcel WHERE id = ANY(%s) AND erased_at IS NULL"
_ERASE = """
UPDATE parcels_parcel SET recipient_name = '', recipient_phone = '', recipient_address = '', erased_at = %s,
    sender_name = '', sender_phone = '', sender_address = ''
WHERE id = ANY(%s) AND erased_at IS NULL RETURNING id
"""
_PLACES = """
SELECT DISTINCT facility FROM parcels_scan
WHERE parcel_id = ANY(%(parcels)s) AND parcel_id BETWEEN %(low)s AND %(high)s AND facility <> ''
"""
_ERASE_PLACES = """
UPDATE parcels_scan s SET facility = place.public
FROM unnest(%(typed)s::text[], %(public)s::text[]) AS place (typed, public)
WHERE s.parcel_id = ANY(%(parcels)s) AND s.parcel_id BETWEEN %(low)s AND %(high)s AND s.facility = place.typed
"""


def erase_due(*, now: datetime, limit: int = SLICE, budget: float = BUDGET_SECONDS) -> int:
    """Erase the recipients that are due, one slice per transaction. Returns the number of parcels.

    May run twice, concurrently, or be killed at any point: a slice is erased as a whole, and its
    files are deleted before it is marked.
    """
    deadline, erased, after = time.monotonic() + budget, 0, 0
    ended_before = now - timedelta(days=settings.ERASE_AFTER_DAYS)
    while time.monotonic() < deadline:
        with scope(Scope.everything()):
            parcel_ids = [
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
            erased += _erase(parcel_ids, now)
        if len(parcel_ids) < limit:
            break
        after = parcel_ids[-1]
    _erase_added(ended_before, now, limit=limit, deadline=deadline)
    forget_remarks(before=ended_before)
    return erased


def erase_early(*, actor: Actor, parcel_id: int, reason: str, now: datetime) -> Parcel:
    """Erase a parcel's recipient at the request of the recipient or merchant, and audit who and why.

    Erasing again changes nothing. Raises NotPermitted for actors other than operators, InvalidInput
    without a reason, Conflict while the parcel is in transit or has an undecided claim.
    """
    require(actor, Capability.OPERATE)
    reason_text = " ".join(reason.split())
    if not reason_text or len(reason_text) > REASON_LENGTH:
        message = _("Enter who asked for it and why, in at most %(most)d characters.") % {
            "most": REASON_LENGTH
        }
        raise InvalidInput(message, errors=[FieldError("/reason", message, "required")])
    parcel, pair = _pair_of(parcel_id)
    if parcel.erased_at:
        return parcel
    outward, phone = pair[0], pair[0].recipient_phone or parcel.sender_phone
    if not _is_over(outward, pair):
        message = _("%(number)s is still on its way: the courier needs the address.")
        raise Conflict(message % {"number": outward.number}, code="under_way")
    if (back := pair[-1]).status not in TERMINAL and back is not outward:
        message = _("Its return %(number)s is still on its way: the courier needs the address.")
        raise Conflict(message % {"number": back.number}, code="under_way")
    if Excuse.objects.waiting().filter(parcel_id=parcel_id).exists():
        message = _("%(number)s has an exemption request waiting for a decision: decide it first.")
        raise Conflict(message % {"number": parcel.number}, code="claim_waiting")
    _erase([each.pk for each in pair], now)
    forget_recipient(merchant_id=parcel.merchant_id, phone=phone, now=now)
    forget_saved(merchant_id=parcel.merchant_id, phone=phone)
    forget_recipient_at_shops(
        merchant_id=parcel.merchant_id, phone=phone, parcel_ids=[each.pk for each in pair]
    )
    # Stored answers to its booking, kept for a day, contain the tracking number.
    for each in pair:
        IdempotentRequest.objects.filter(
            organisation_id=parcel.merchant_id, answer__contains=each.number
        ).delete()
    audit.record(
        actor=actor,
        verb="parcel.erased",
        object_type="parcel",
        object_id=parcel_id,
        organisation_id=parcel.merchant_id,
        detail={"number": parcel.number, "reason": reason_text},
    )
    parcel.refresh_from_db()
    return parcel


def _pair_of(parcel_id: int) -> tuple[Parcel, list[Parcel]]:
    """Lock a parcel and those of its way there and back, which name the same person; in the order of ids.

    A parcel that was sent out comes before its returns, as its id is older. Raises NotFound.
    """
    ids = list(Parcel.objects.filter(pk=parcel_id).values_list("return_of_id", flat=True))
    if not ids:
        raise NotFound
    rows = Parcel.objects.select_for_update(no_key=True)
    pair: dict[int, Parcel] = {}
    for pk in [*filter(None, ids), parcel_id]:
        pair[pk] = rows.get(pk=pk)
    if (latest := next(iter(pair.values())).returned_by_id) is not None and latest not in pair:
        pair[latest] = rows.get(pk=latest)
    return pair[parcel_id], list(pair.values())


def _is_over(outward: Parcel, pair: Sequence[Parcel]) -> bool:
    """Whether a parcel has ended, or was refused and has come back under another number."""
    back = next((each for each in pair if each.pk == outward.returned_by_id), None)
    return outward.status in TERMINAL or (outward.has_return and back is not None and back.status in TERMINAL)


def _erase_added(ended_before: datetime, now: datetime, *, limit: int, deadline: float) -> None:
    after = 0
    while time.monotonic() < deadline:
        with scope(Scope.everything()):
            parameters = {"ended_before": ended_before, "after": after, "limit": limit}
            parcel_ids = [row[0] for row in raw_rows(_ADDED, parameters)]
            not_erased = {row[0] for row in raw_rows(_NOT_ERASED, [parcel_ids])} if parcel_ids else set()
            _erase([pk for pk in parcel_ids if pk not in not_erased], now)
        if len(parcel_ids) < limit:
            break
        after = parcel_ids[-1]


def _erase(parcel_ids: Sequence[int], now: datetime) -> int:
    """Erase the personal data of these parcels' recipients, in the current transaction."""
    if not parcel_ids:
        return 0
    # An excuse claimed a moment ago still has to be decided.
    excuses = Excuse.objects.filter(parcel_id__in=parcel_ids).exclude(state=ExcuseState.CLAIMED)
    # Delete the files first: if this is interrupted, the next run finds their names again.
    for name in excuses.exclude(evidence="").values_list("evidence", flat=True):
        private_storage().delete(name)
    excuses.update(note="", decision_note="", evidence="", evidence_name="")
    Revision.objects.filter(parcel_id__in=parcel_ids).exclude(reason="").update(reason="")
    ReturnRequest.objects.filter(parcel_id__in=parcel_ids).exclude(note="", answer="").update(
        note="", answer=""
    )
    _erase_places(parcel_ids)
    return len(raw_rows(_ERASE, [now, list(parcel_ids)]))


def _erase_places(parcel_ids: Sequence[int]) -> None:
    """Keep of each scan's place what the public may see."""
    parameters = {"parcels": list(parcel_ids), "low": min(parcel_ids), "high": max(parcel_ids)}
    typed = [row[0] for row in raw_rows(_PLACES, parameters)]
    public = {text: place for text in typed if (place := public_place(text)) != text}
    if public:
        raw_rows(_ERASE_PLACES, {**parameters, "typed": list(public), "public": list(public.values())})
