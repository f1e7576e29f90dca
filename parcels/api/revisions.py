"""API of the revisions of a delivery: agreed later days."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.parsing import Body, WordField, refuse_unknown_parameters
from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.database.cluster import is_distributed
from alliance.errors import NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Actor, require
from parcels.api import examples
from parcels.api.parcels import IDEMPOTENCY_KEY
from parcels.models import Parcel
from parcels.revisions.services import days_for_merchant, revise_parcel
from slas.choices import RevisionParty
from slas.models import Revision
from slas.revisions.services import REASON_LENGTH, RevisionRequest, promised_delivery

S = serializers.Serializer[Any]


class RevisionBody(Body):
    """Another day, and why."""

    day = serializers.DateField(help_text="One of `possible_days`, local at the destination.")
    requested_by = WordField(
        choices=RevisionParty.choices,
        default=RevisionParty.MERCHANT.value,
        help_text="`merchant`. Recipients ask for themselves on the tracking page; `recipient` is refused.",
    )
    reason = serializers.CharField(
        max_length=REASON_LENGTH,
        required=False,
        allow_blank=True,
        help_text="Required: why, and who asked. The courier reads it; the tracking page does not show it.",
    )


class PublicRevision(S):
    """One later day agreed on, without its reason. Times carry the destination's offset."""

    previous_promise = serializers.DateTimeField(help_text="Agreed time before this change.")
    new_promise = serializers.DateTimeField(help_text="Agreed time after this change.")
    requested_by = serializers.ChoiceField(choices=RevisionParty.choices)
    judged = serializers.BooleanField(help_text="On-time is judged by this date.")
    created_at = serializers.DateTimeField()


class RevisionAnswer(PublicRevision):
    """One later day agreed on, and why, for merchant and courier."""

    reason = serializers.CharField()


class PossibleDay(S):
    day = serializers.DateField()
    deliver_by = serializers.DateTimeField()


class RevisedPromise(S):
    """As in a parcel's `promise`."""

    original = serializers.DateTimeField(help_text="Delivery as promised at booking. It never changes.")
    current = serializers.DateTimeField(help_text="Delivery as agreed now.")
    judged_by = serializers.DateTimeField(help_text="The time that on-time is judged by.")


class RevisionsAnswer(S):
    """The original promise of a delivery beside what was agreed on since."""

    tracking_number = serializers.CharField()
    promise = RevisedPromise()
    revisions = RevisionAnswer(many=True, help_text="Oldest first.")
    possible_days = PossibleDay(many=True, help_text="The dates you can move it to, earliest first.")


class RevisionsView(APIView):
    """Revisions of one parcel's delivery."""

    @extend_schema(
        operation_id="parcels_revisions_list",
        summary="Read a delivery's revisions",
        description="The original promise, the agreed changes with who asked and why, and the dates it "
        "can be moved to.",
        responses=RevisionsAnswer,
        tags=["parcels"],
    )
    def get(self, request: Request, tracking_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.VIEW_PARCELS)
        refuse_unknown_parameters(request)
        return Response(_answer(actor, _parcel(actor, tracking_number)))

    @extend_schema(
        operation_id="parcels_revisions_create",
        summary="Move a delivery to a later day",
        description="For merchants, until the parcel is delivered, lost or cancelled. Before the time that "
        "on-time is judged by, it moves that time; afterwards it is recorded beside it, and what is late "
        "stays late. Only recipients ask in their own name, with a proof. Couriers cannot move their own "
        "promises (403).",
        parameters=[IDEMPOTENCY_KEY],
        request=RevisionBody,
        responses={201: RevisionsAnswer},
        examples=examples.REVISION,
        tags=["parcels"],
    )
    def post(self, request: Request, tracking_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        parcel_id = _parcel_id(tracking_number)

        def work() -> tuple[int, dict[str, Any]]:
            # Check before the body: another merchant's parcel is not found, even if the body is invalid.
            _parcel(actor, tracking_number)
            body = RevisionBody(data=request.data)
            body.is_valid(raise_exception=True)
            data = body.validated_data
            revision_request = RevisionRequest(data["day"], data["requested_by"], data.get("reason", ""))
            revise_parcel(actor=actor, parcel_id=parcel_id, asked=revision_request, now=timezone.now())
            return 201, _answer(actor, _parcel(actor, tracking_number))

        def is_there(body: Any) -> bool:
            # On a cluster: a worker that was killed commits its part some seconds after its return.
            promised = promised_delivery(parcel_id=parcel_id) if is_distributed() else None
            return promised is None or len(promised.revisions) >= len(body["revisions"])

        return idempotent(request, f"parcels_revisions:{parcel_id}", work, is_there=is_there)


def revision_json(revision: Revision, zone: str) -> dict[str, Any]:
    """Return the public data of one revision: the reason is people's own words, for the parties only."""
    return {
        "previous_promise": _local(revision.previous_due_at, zone),
        "new_promise": _local(revision.due_at, zone),
        "requested_by": revision.requested_by,
        "judged": revision.judged,
        "created_at": _local(revision.created_at, zone),
    }


def _answer(actor: Actor, parcel: Parcel) -> dict[str, Any]:
    zone, promised = parcel.destination.time_zone, promised_delivery(parcel_id=parcel.pk)
    if promised is None:
        raise NotFound(_("This parcel has no delivery promise."))
    commitment = promised.commitment
    days = days_for_merchant(actor=actor, parcel=parcel, promised=promised, now=timezone.now())
    return {
        "tracking_number": parcel.number,
        "promise": {
            "original": _local(promised.first_due_at, zone),
            "current": _local(commitment.revised_due_at or commitment.due_at, zone),
            "judged_by": _local(commitment.due_at, zone),
        },
        "revisions": [
            {**revision_json(revision, zone), "reason": revision.reason} for revision in promised.revisions
        ],
        "possible_days": [
            {"day": item.day.isoformat(), "deliver_by": _local(item.due_at, zone)} for item in days
        ],
    }


def _parcel(actor: Actor, number: str) -> Parcel:
    parcels = Parcel.objects.visible_to(actor).select_related("destination")
    parcel = parcels.filter(pk=_parcel_id(number)).first()
    if parcel is None:
        raise NotFound
    return parcel


def _parcel_id(number: str) -> int:
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None


def _local(moment: datetime, zone: str) -> str:
    return local_clock(moment, zone).isoformat()
