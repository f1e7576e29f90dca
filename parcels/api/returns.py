"""API of returns: issue one, say what recipients may ask for, decide what they asked for."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.fields import MoneyField
from alliance.api.idempotency import idempotent
from alliance.api.pagination import CursorPagination, Narrowed
from alliance.api.parsing import Body, WordField, refuse_unknown_parameters
from alliance.api.public_ids import PartyField, PublicIdField
from alliance.api.views import ApiView
from alliance.choices import Capability
from alliance.errors import NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.public_ids import IdKind
from alliance.tenancy import Actor, require
from couriers.homes.lists import at_homes
from parcels.api import answers, examples
from parcels.api.booked import BookedAnswer, return_json
from parcels.api.booking_bodies import Places, read_return
from parcels.api.parcels import IDEMPOTENCY_KEY
from parcels.bookings.rules import IfFull
from parcels.bookings.services.writing import are_there
from parcels.choices import ReturnReason, ReturnState
from parcels.models import Parcel, ReturnRequest
from parcels.returns.queries import request_of
from parcels.returns.rules import LONGEST_WINDOW_DAYS, NOTE_LENGTH, Policy
from parcels.returns.services.issuing import issue_return, refuse_decided
from parcels.returns.services.policies import PolicyTerms, read_policy, save_policy
from parcels.returns.services.requests import decline_request
from slas.choices import TierCode

S = serializers.Serializer[Any]
TAG = "returns"


class ReturnBody(S):
    """How the parcel comes back. Only the tier is required."""

    tier = WordField(choices=TierCode.choices)
    courier = PartyField(
        IdKind.COURIER, required=False, help_text="Its id, as in a quote. Default: the recommended courier."
    )
    pickup_address = PublicIdField(
        IdKind.PICKUP_ADDRESS,
        required=False,
        allow_null=True,
        help_text="Where it goes: one of your pickup addresses. Default: your default one.",
    )
    weight_g = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, help_text="Default: that of the outward parcel."
    )
    ready_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="RFC 3339 with an offset. Default: now."
    )
    reference = serializers.CharField(
        max_length=64, required=False, allow_null=True, help_text="Default: that of the outward parcel."
    )
    expected_deliver_by = serializers.DateTimeField(required=False, allow_null=True)
    expected_pickup_by = serializers.DateTimeField(required=False, allow_null=True)
    expected_price = MoneyField(
        required=False, allow_null=True, help_text="As quoted; `expected_...` as in a booking."
    )
    if_full = WordField(choices=[item.value for item in IfFull], default=IfFull.REFUSE.value)


class PolicyBody(Body):
    """What your recipients may ask for on the tracking page."""

    allowed = serializers.BooleanField(help_text="Whether they may ask at all.")
    window_days = serializers.IntegerField(help_text=f"Days after delivery: 1 to {LONGEST_WINDOW_DAYS}.")
    reasons = serializers.ListField(
        child=serializers.CharField(max_length=40), help_text="At least one of the reasons."
    )
    note = serializers.CharField(
        max_length=NOTE_LENGTH, required=False, allow_blank=True, help_text="Shown to recipients."
    )


class PolicyAnswer(S):
    allowed = serializers.BooleanField()
    window_days = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.ChoiceField(choices=ReturnReason.choices))
    note = serializers.CharField()


class RequestsQuery(S):
    """Which requests to list."""

    state = WordField(choices=ReturnState.choices, required=False)


class RequestAnswer(S):
    """A recipient's request, and what was decided."""

    tracking_number = serializers.CharField(help_text="Of the outward parcel.")
    reference = serializers.CharField(help_text="Of the outward parcel.")
    state = serializers.ChoiceField(choices=ReturnState.choices)
    reason = serializers.ChoiceField(choices=ReturnReason.choices)
    note = serializers.CharField(help_text="The recipient's own words; empty once erased.")
    answer = serializers.CharField(help_text="Why it was declined.")
    requested_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    returned_by = serializers.CharField(allow_null=True, help_text="The number of the return, once issued.")
    return_cancelled_at = serializers.DateTimeField(
        allow_null=True, help_text="When that return was cancelled; another one may be issued then."
    )


class RequestPage(S):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = RequestAnswer(many=True)


class DeclineBody(Body):
    answer = serializers.CharField(
        max_length=NOTE_LENGTH, help_text="Why; the tracking page shows it to the recipient."
    )


class RequestPagination(CursorPagination):
    ordering = ("-requested_at", "-parcel_id")  # type: ignore[assignment]

    def narrowed(self, queryset: Any) -> Narrowed:
        return Narrowed(queryset, at_homes)


class ReturnView(ApiView):
    """The way back of one parcel."""

    @extend_schema(
        operation_id="parcels_return",
        summary="Issue a return",
        description="Books another parcel that brings this one back: from its recipient (or the courier that "
        "has it, if it was refused) to one of your addresses, with a number, promise and label of its own. "
        "For parcels that were delivered or refused; 409 `not_returnable`, `already_returning`, `is_return`, "
        "`no_recipient`, or `already_issued` with `returned_by`. A recipient's request is approved by it.",
        parameters=[IDEMPOTENCY_KEY],
        request=ReturnBody,
        responses={201: BookedAnswer},
        examples=examples.RETURN,
        tags=[TAG],
    )
    def post(self, request: Request, tracking_number: str) -> Response:
        return _issue(request, _parcel_id(tracking_number))


class ReturnPolicyView(ApiView):
    """What recipients may ask for."""

    @extend_schema(
        operation_id="return_policy_retrieve",
        summary="Read your return policy",
        description="What your recipients may ask for on the tracking page; nothing until you allow it.",
        responses=PolicyAnswer,
        tags=[TAG],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request)
        return Response(_policy_json(read_policy(actor=actor_of(request))))

    @extend_schema(
        operation_id="return_policy_update",
        summary="Change your return policy",
        description="Whole: what is not sent is not kept. Requests that were made stay.",
        request=PolicyBody,
        responses=PolicyAnswer,
        examples=examples.RETURN_POLICY,
        tags=[TAG],
    )
    def put(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.ALLOCATE)
        # Who has no policy is told before what is wrong with the body.
        read_policy(actor=actor)
        body = PolicyBody(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        terms = PolicyTerms(data["allowed"], data["window_days"], data["reasons"], data.get("note", ""))
        return Response(_policy_json(save_policy(actor=actor, terms=terms)))


class ReturnRequestsView(ApiView):
    """What recipients asked for."""

    @extend_schema(
        operation_id="return_requests_list",
        summary="List return requests",
        description="What your recipients asked for on the tracking page, the newest first.",
        parameters=[
            RequestsQuery,
            OpenApiParameter("cursor", str, description="From `next` or `previous`."),
            OpenApiParameter("page_size", int, description="50 by default, 500 at most."),
        ],
        responses=RequestPage,
        tags=[TAG],
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        refuse_unknown_parameters(request, *RequestsQuery().fields, "cursor", "page_size")
        query = RequestsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        rows = ReturnRequest.objects.visible_to(actor)
        if state := query.validated_data.get("state"):
            rows = rows.filter(state=state)
        pages = RequestPagination()
        page = pages.paginate_queryset(rows, request, view=self) or []
        links = {"next": pages.get_next_link(), "previous": pages.get_previous_link()}
        return Response({**links, "results": _requests_json(actor, page)})


class ReturnApproveView(ApiView):
    """Approve a request."""

    @extend_schema(
        operation_id="return_requests_approve",
        summary="Approve a return request",
        description="Issues the return that a recipient asked for; the number is the outward parcel's. 409 "
        "`decided` once it was withdrawn or declined.",
        parameters=[IDEMPOTENCY_KEY],
        request=ReturnBody,
        responses={201: BookedAnswer},
        examples=examples.RETURN,
        tags=[TAG],
    )
    def post(self, request: Request, tracking_number: str) -> Response:
        return _issue(request, _parcel_id(tracking_number), is_asked=True)


class ReturnDeclineView(ApiView):
    """Decline a request."""

    @extend_schema(
        operation_id="return_requests_decline",
        summary="Decline a return request",
        description="With the reason, which the tracking page shows. Declining again returns the same; 409 "
        "`decided` once it was decided otherwise.",
        request=DeclineBody,
        responses=RequestAnswer,
        examples=examples.RETURN_DECLINED,
        tags=[TAG],
    )
    def post(self, request: Request, tracking_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        parcel_id = _parcel_id(tracking_number)
        _asked(actor, parcel_id)
        body = DeclineBody(data=request.data)
        body.is_valid(raise_exception=True)
        declined = decline_request(
            actor=actor, parcel_id=parcel_id, answer=body.validated_data["answer"], now=timezone.now()
        )
        return Response(_requests_json(actor, [declined])[0])


def _issue(request: Request, parcel_id: int, *, is_asked: bool = False) -> Response:
    actor, now = actor_of(request), timezone.now()
    require(actor, Capability.BOOK_PARCELS)

    def work() -> tuple[int, answers.JSON]:
        # Before the body: another merchant's parcel is not found, even if the body is invalid.
        if is_asked:
            refuse_decided(_asked(actor, parcel_id))
        elif not Parcel.objects.visible_to(actor).filter(pk=parcel_id).exists():
            raise NotFound(_("You have no parcel with this number."))
        order = read_return(request.data, Places(actor, [request.data]))
        booked = issue_return(actor=actor, parcel_id=parcel_id, order=order, at=now, is_asked=is_asked)
        return 201, return_json(actor, booked)

    response = idempotent(
        request,
        f"parcels_return:{parcel_id}",
        work,
        is_there=lambda body: are_there([body["tracking_number"], body["return_of"]]),
    )
    response["Location"] = reverse("api:parcels:parcel_detail", args=[response.data["tracking_number"]])
    return response


def _asked(actor: Actor, parcel_id: int) -> ReturnRequest:
    request = request_of(parcel_id) if actor.is_merchant else None
    if request is None or request.merchant_id != actor.organisation_id:
        raise NotFound(_("There is no request for a return of this parcel."))
    return request


def _policy_json(policy: Policy) -> dict[str, Any]:
    return {
        "allowed": policy.is_allowed,
        "window_days": policy.window_days,
        "reasons": list(policy.reasons),
        "note": policy.note,
    }


def _requests_json(actor: Actor, requests: Sequence[ReturnRequest]) -> list[dict[str, Any]]:
    ids = [request.parcel_id for request in requests]
    rows = Parcel.objects.visible_to(actor).filter(pk__in=ids)
    parcels = {
        pk: more for pk, *more in rows.values_list("pk", "reference", "returned_by_id", "return_cancelled_at")
    }
    results = []
    for request in requests:
        reference, back_id, cancelled_at = parcels.get(request.parcel_id, ("", None, None))
        results.append(
            {
                "tracking_number": request.number,
                "reference": reference,
                "state": request.state,
                "reason": request.reason,
                "note": request.note,
                "answer": request.answer,
                "requested_at": timezone.localtime(request.requested_at).isoformat(),
                "decided_at": request.decided_at and timezone.localtime(request.decided_at).isoformat(),
                "returned_by": back_id and tracking_number(back_id),
                "return_cancelled_at": cancelled_at and timezone.localtime(cancelled_at).isoformat(),
            }
        )
    return results


def _parcel_id(number: str) -> int:
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None
