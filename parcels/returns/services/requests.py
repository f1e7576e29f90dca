"""Recipients' requests for a return: made and withdrawn on the tracking page, declined by the merchant.

The merchant approves one by issuing the return: see issuing.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.identifiers import tracking_number
from alliance.tenancy import Actor, Scope, require, scope
from alliance.texts import one_line
from parcels.bookings.models import Parcel
from parcels.bookings.rules import text_problems
from parcels.choices import ParcelStatus, ReturnState
from parcels.labels.queries import labels_of
from parcels.labels.queries import refusal_of as label_refusal
from parcels.labels.rules import Label
from parcels.returns.models import ReturnRequest
from parcels.returns.queries import own_policy
from parcels.returns.rules import NOTE_LENGTH, offered, why_not_asked
from parcels.returns.services.issuing import refuse_return
from parcels.revisions.proofs import failed_proof
from parcels.revisions.services import RECIPIENT
from slas.listed import first_with_names


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody gives to prove being a parcel's recipient, and from which address."""

    digits: str
    address: str


def ask_for_return(*, parcel_id: int, proof: Proof, reason: str, note: str, now: datetime) -> ReturnRequest:
    """Record that a parcel's recipient wants to send it back. Asking again changes nothing.

    What was withdrawn may be asked for again; what was declined may not. Call it where an error does not roll
    the transaction back: wrong digits are counted. Raises NotFound for an unknown parcel, InvalidInput for
    wrong digits, an unknown reason or too long a note, TooMany while the address has to wait, and Conflict
    if the shop does not allow it, or the parcel cannot come back.
    """
    with _proven(parcel_id, proof, now) as (recipient, merchant_id):
        # A return that is issued meanwhile takes the same lock.
        parcel = Parcel.objects.select_for_update(no_key=True).get(pk=parcel_id)
        policy = own_policy(merchant_id)
        earlier = ReturnRequest.objects.filter(pk=parcel_id).first()
        if earlier is not None and earlier.state == ReturnState.REQUESTED:
            return earlier
        if refusal := (
            _settled(earlier)
            or refuse_return(actor=recipient, parcel=parcel)
            or why_not_asked(policy, delivered_at=parcel.delivered_at, now=now)
        ):
            raise refusal
        note = one_line(note)
        problems = list(text_problems("/note", note, NOTE_LENGTH, required=False))
        if reason not in dict(offered(policy.reasons)):
            problems.append(FieldError("/reason", _("Choose one of the reasons."), "unknown"))
        if problems:
            raise InvalidInput(errors=problems)
        request, _made = ReturnRequest.objects.update_or_create(
            parcel_id=parcel_id,
            defaults={
                "merchant_id": merchant_id,
                "state": ReturnState.REQUESTED,
                "reason": reason,
                "note": note,
                "answer": "",
                "requested_at": now,
                "decided_at": None,
                "decided_by_id": None,
            },
        )
        _record(recipient, request, events.Topic.RETURN_REQUESTED, now)
    return request


def withdraw_request(*, parcel_id: int, proof: Proof, now: datetime) -> None:
    """Take a request back, for its recipient; doing it again changes nothing. Raises as asking does."""
    with _proven(parcel_id, proof, now) as (recipient, _merchant_id):
        request = ReturnRequest.objects.filter(pk=parcel_id).first()
        if request is None or request.state == ReturnState.WITHDRAWN:
            return
        if not _change(parcel_id, state=ReturnState.WITHDRAWN, note=""):
            raise Conflict(_("The shop has decided on this request by now."), code="decided")
        _record(recipient, request, events.Topic.RETURN_WITHDRAWN, now)


def label_for_recipient(*, parcel_id: int, proof: Proof, now: datetime) -> Label:
    """Return the label of a parcel's way back, for whoever hands it over. It shows what every label shows.

    Raises as asking does, and Conflict if no return is open.
    """
    with _proven(parcel_id, proof, now) as (recipient, _merchant_id):
        outward = Parcel.objects.get(pk=parcel_id)
        back = None
        if outward.returned_by_id is not None:
            back = first_with_names(Parcel.objects.filter(pk=outward.returned_by_id))
        if back is None:
            raise Conflict(_("The shop has not issued a return for this parcel."), code="not_issued")
        if (refusal := label_refusal(back)) is not None:
            raise refusal
        # Once it is collected, it has its label.
        if back.status != ParcelStatus.BOOKED:
            raise Conflict(_("This return has been collected: it needs no label any more."), code="collected")
        [label] = labels_of(actor=recipient, parcels=[back], now=now)
    return label


def decline_request(*, actor: Actor, parcel_id: int, answer: str, now: datetime) -> ReturnRequest:
    """Decline a request, with the reason that the recipient reads. Declining again changes nothing.

    Raises NotFound for another merchant's, InvalidInput without an answer, Conflict once it was decided
    otherwise.
    """
    require(actor, Capability.BOOK_PARCELS)
    text = one_line(answer)
    request: ReturnRequest | None = ReturnRequest.objects.visible_to(actor).filter(pk=parcel_id).first()
    if request is None:
        raise NotFound(_("There is no request for a return of this parcel."))
    if problems := list(text_problems("/answer", text, NOTE_LENGTH)):
        raise InvalidInput(errors=problems)
    decided = {"answer": text, "decided_at": now, "decided_by_id": actor.user_id}
    if _change(parcel_id, state=ReturnState.DECLINED, **decided):
        _record(actor, request, events.Topic.RETURN_DECLINED, now)
    request.refresh_from_db()
    if request.state != ReturnState.DECLINED:
        raise Conflict(
            _("This request is “%(state)s” by now.") % {"state": request.get_state_display()}, code="decided"
        )
    return request


@contextmanager
def _proven(parcel_id: int, proof: Proof, now: datetime) -> Iterator[tuple[Actor, int]]:
    """Run a block in the merchant's scope, once the recipient has proved who they are."""
    with scope(Scope.parcel(parcel_id)):
        parcel = Parcel.objects.filter(pk=parcel_id).first()
    if parcel is None:
        raise NotFound
    with scope(Scope.merchant(parcel.merchant_id)):
        wrong = failed_proof(parcel=parcel, digits=proof.digits, address=proof.address, now=now)
    if wrong is not None:
        raise wrong
    with scope(Scope.merchant(parcel.merchant_id)):
        yield Actor.system(RECIPIENT), parcel.merchant_id


def _settled(earlier: ReturnRequest | None) -> Conflict | None:
    if earlier is not None and earlier.state == ReturnState.DECLINED:
        return Conflict(_("The shop has declined this request. Ask the shop itself."), code="declined")
    return None


def _change(parcel_id: int, **values: object) -> bool:
    """Change a request that waits; whether it did."""
    waiting = ReturnRequest.objects.filter(pk=parcel_id, state=ReturnState.REQUESTED)
    return bool(waiting.update(**values))


def _record(actor: Actor, request: ReturnRequest, topic: events.Topic, now: datetime) -> None:
    # Without the texts: they are erased with the recipient, events and the audit are not.
    number = tracking_number(request.parcel_id)
    event = events.NewEvent(
        topic,
        merchant_id=request.merchant_id,
        parcel_id=request.parcel_id,
        payload={"tracking_number": number, "reason": request.reason},
    )
    events.record([event], at=now)
    audit.record(
        actor=actor,
        verb=topic.value,
        object_type="return_request",
        object_id=request.parcel_id,
        organisation_id=request.merchant_id,
        detail={"number": number},
    )
