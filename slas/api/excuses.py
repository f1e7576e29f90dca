"""API of excuses: list, claim, withdraw."""

from datetime import date
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.pagination import CursorPagination, Narrowed
from alliance.api.parsing import (
    Body,
    BoundedJSONParser,
    WordField,
    refuse_body,
    refuse_unknown_parameters,
)
from alliance.api.public_ids import PartyField, PublicIdField
from alliance.choices import Capability
from alliance.database.cluster import is_distributed
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.public_ids import IdKind, row_id
from alliance.tenancy import Actor, require
from couriers.homes.lists import at_homes
from slas.api import examples
from slas.choices import CommitmentKind, ExcuseReason, ExcuseSource, ExcuseState
from slas.excuses.querysets import ExcuseQuerySet
from slas.excuses.services.claims import Claim, claim_excuse, require_claimant, take_back_claim
from slas.excuses.services.permissions import MOST_TEXT
from slas.models import Excuse

S = serializers.Serializer[Any]
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Any text of up to 255 characters. If it is sent again within 24 hours with the same body, "
    "the first answer is repeated and nothing is requested twice.",
)


class ExcusesQuery(S):
    """Which excuses to list."""

    state = WordField(choices=ExcuseState.choices, required=False)
    reason = WordField(choices=ExcuseReason.choices, required=False)
    claimed_by = WordField(choices=ExcuseSource.choices, required=False, source="source")
    kind = WordField(choices=CommitmentKind.choices, required=False)
    tracking_number = serializers.CharField(required=False)
    to = serializers.DateField(
        required=False, help_text="Last day of the request, in the alliance's time zone."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" is a keyword, so it cannot be an attribute.
        first = serializers.DateField(
            required=False, help_text="First day of the request, in the alliance's time zone."
        )
        return {"from": first, **super().get_fields()}

    def validate_tracking_number(self, number: str) -> int:
        return _parcel_id(number)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in ("from", "to"):
            day = attrs.get(name)
            if day and not date(2016, 1, 1) <= day <= date(2085, 1, 1):
                raise serializers.ValidationError({name: _("The date is out of range.")})
        return attrs


class ClaimBody(Body):
    """What a courier claims. Sent as multipart/form-data it may carry a file."""

    tracking_number = serializers.CharField()
    kind = WordField(choices=CommitmentKind.choices, help_text="The promise that was broken.")
    reason = WordField(choices=ExcuseReason.choices)
    note = serializers.CharField(required=False, allow_blank=True, max_length=MOST_TEXT)
    file = serializers.FileField(
        required=False,
        allow_empty_file=True,
        help_text="Evidence: PDF, PNG or JPEG, at most 10 MB; in a multipart body only.",
    )

    def validate_tracking_number(self, number: str) -> int:
        return _parcel_id(number)


class ExcuseAnswer(S):
    """A claim, or an excuse of the alliance's own, and what was decided."""

    id = PublicIdField(IdKind.EXCUSE)
    tracking_number = serializers.CharField(source="number")
    kind = serializers.ChoiceField(choices=CommitmentKind.choices)
    courier = PartyField(IdKind.COURIER, source="courier.organisation.public_id")
    courier_name = serializers.CharField(source="courier.organisation.name")
    merchant = PartyField(IdKind.MERCHANT, source="merchant.public_id")
    merchant_name = serializers.CharField(source="merchant.name")
    state = serializers.ChoiceField(choices=ExcuseState.choices)
    reason = serializers.ChoiceField(choices=ExcuseReason.choices)
    note = serializers.CharField()
    claimed_by = serializers.ChoiceField(choices=ExcuseSource.choices, source="source")
    event = serializers.SerializerMethodField(
        help_text="The disruption or closure it was proposed for, or null."
    )
    evidence = serializers.CharField(source="evidence_name", help_text="File name; empty without a file.")
    claimed_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decision_note = serializers.CharField()

    def get_event(self, excuse: Excuse) -> str | None:
        event = excuse.disruption or excuse.closure
        return str(event.name) if event else None


class ExcuseCount(S):
    state = serializers.ChoiceField(choices=ExcuseState.choices)
    reason = serializers.ChoiceField(choices=ExcuseReason.choices)
    count = serializers.IntegerField()


class ExcusesAnswer(S):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    counts_by_reason = ExcuseCount(many=True, help_text="Of all matching requests, by decision and reason.")
    results = ExcuseAnswer(many=True)


class ExcusePagination(CursorPagination):
    ordering = ("-claimed_at", "-id")  # type: ignore[assignment]
    # An event proposes thousands at the same time: the cursor counts on within that time, however many.
    offset_cutoff = None  # type: ignore[assignment]

    def narrowed(self, queryset: ExcuseQuerySet) -> Narrowed:
        return Narrowed(queryset, at_homes)


class ExcusesView(APIView):
    """Excuses of the actor's breaches: list and claim."""

    parser_classes = (BoundedJSONParser, MultiPartParser)

    @extend_schema(
        operation_id="excuses_list",
        summary="Exemptions",
        description="Exemption requests and decisions on your breaches, newest first, with counts by "
        "decision and reason. Courier and merchant see the same.",
        parameters=[
            ExcusesQuery,
            OpenApiParameter("cursor", str, description="From `next` or `previous`."),
            OpenApiParameter("page_size", int, description="50 by default, 500 at most."),
        ],
        responses=ExcusesAnswer,
        tags=["rates"],
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.VIEW_RATES)
        excuses = _excuses(actor, request)
        pages = ExcusePagination()
        # Names are read separately from the page, see slas/listed.py.
        with_names = excuses.prefetch_related("courier__organisation", "merchant", "disruption", "closure")
        page = pages.paginate_queryset(with_names, request, view=self) or []
        return Response(
            {
                "next": pages.get_next_link(),
                "previous": pages.get_previous_link(),
                "counts_by_reason": [
                    {"state": state, "reason": reason, "count": count}
                    for state, reason, count in excuses.counts("state", "reason")
                ],
                "results": ExcuseAnswer(page, many=True).data,
            }
        )

    @extend_schema(
        operation_id="excuses_create",
        summary="Request an exemption",
        description="A courier requests an exemption for a breach that was not its fault, within 14 days "
        "of its opening. 409 `no_breach`, `too_late`, `claimed`, `granted` or `decided` if it cannot be "
        "requested.",
        parameters=[IDEMPOTENCY_KEY],
        request={"application/json": ClaimBody, "multipart/form-data": ClaimBody},
        responses={201: ExcuseAnswer},
        examples=examples.CLAIM,
        tags=["rates"],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require_claimant(actor)
        response = idempotent(
            request, "excuses_create", lambda: (201, _claim(actor, request)), is_there=_is_there
        )
        response["Location"] = reverse(
            "api:parcels:breach_detail", args=[response.data["tracking_number"], response.data["kind"]]
        )
        return response


class ExcuseWithdrawView(APIView):
    """Withdraw a claim."""

    @extend_schema(
        operation_id="excuses_withdraw",
        summary="Withdraw a request",
        description="Only the courier's own request, until it is decided; 409 `decided` afterwards. "
        "Withdrawing again returns the same answer.",
        request=None,
        responses=ExcuseAnswer,
        tags=["rates"],
    )
    def post(self, request: Request, excuse_id: int) -> Response:
        actor = actor_of(request)
        require_claimant(actor)
        refuse_body(request.data)
        return Response(ExcuseAnswer(take_back_claim(actor=actor, excuse_id=excuse_id)).data)


def _excuses(actor: Actor, request: Request) -> ExcuseQuerySet:
    refuse_unknown_parameters(request, *ExcusesQuery().fields, "cursor", "page_size")
    query = ExcusesQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    params = dict(query.validated_data)
    first, last, parcel_id = (
        params.pop("from", None),
        params.pop("to", None),
        params.pop("tracking_number", None),
    )
    excuses: ExcuseQuerySet = Excuse.objects.visible_to(actor)
    return excuses.matching(first=first, last=last, parcel_id=parcel_id, **params)


def _claim(actor: Actor, request: Request) -> dict[str, Any]:
    body = ClaimBody(data=request.data)
    body.is_valid(raise_exception=True)
    data = body.validated_data
    claim = Claim(
        parcel_id=data["tracking_number"],
        kind=data["kind"],
        reason=data["reason"],
        note=data.get("note", ""),
        upload=data.get("file"),
    )
    try:
        excuse = claim_excuse(actor=actor, claim=claim)
    except NotFound:
        message = _("No parcel of yours has this number and milestone.")
        raise InvalidInput(errors=[FieldError("/tracking_number", message, "not_found")]) from None
    return dict(ExcuseAnswer(excuse).data)


def _is_there(body: Any) -> bool:
    # On a cluster: a worker that was killed commits its part some seconds after its return.
    if not is_distributed():
        return True
    parcel_id = parse_tracking_number(body["tracking_number"])
    return Excuse.objects.filter(pk=row_id(IdKind.EXCUSE, body["id"]), parcel_id=parcel_id).exists()


def _parcel_id(number: str) -> int:
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise serializers.ValidationError(str(error), code="tracking_number") from None
