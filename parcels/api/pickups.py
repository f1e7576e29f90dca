"""API of pickup requests: ask for one, read them, answer."""

from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.parsing import Body, refuse_body, refuse_unknown_parameters
from alliance.api.views import ApiView
from alliance.choices import Capability
from alliance.clocks import moment_text
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput
from alliance.identifiers import tracking_number
from alliance.models import Organisation
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, require
from parcels.api import examples
from parcels.api.answers import place_json, rejection_json
from parcels.api.batches import parcel_id_of
from parcels.api.parcels import IDEMPOTENCY_KEY
from parcels.api.pickup_schema import (
    NoteBody,
    PickupAnswer,
    PickupBody,
    PickupDetailAnswer,
    PickupsQuery,
    ProposalBody,
    RequestedAnswer,
    WindowBody,
)
from parcels.models import Parcel, Pickup, PickupAddress
from parcels.pickups.queries import View, parcels_of, pickup_of, pickups_of, views_of, waiting_parcels
from parcels.pickups.rules import Stop, Window
from parcels.pickups.services import answering, proposing
from parcels.pickups.services.requesting import Asked, Requested, request_pickup

JSON = dict[str, Any]


class PickupsView(generics.ListAPIView[Pickup]):
    """Requests of the caller's organisation."""

    serializer_class = PickupAnswer
    filter_backends = ()

    @extend_schema(
        operation_id="pickups_list",
        summary="List pickup requests",
        description="A merchant's own, or those sent to a courier; the newest first.",
        parameters=[PickupsQuery],
        tags=["pickups"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        views = views_of(page or [], timezone.now())
        if self.request.query_params.get("is_missed") == "true":
            # A scan that arrived since they were counted.
            views = [view for view in views if view.is_missed]
        return self.get_paginated_response([_json(view) for view in views])

    def get_queryset(self) -> QuerySet[Pickup]:
        if getattr(self, "swagger_fake_view", False):
            return Pickup.objects.none()
        request = self.request
        refuse_unknown_parameters(request, *PickupsQuery().fields, "cursor", "page_size")
        query = PickupsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        filters = {**query.validated_data}
        missed = filters.pop("is_missed", None)
        pickups = pickups_of(actor_of(request)).filter(**filters)
        return pickups if missed is None else pickups.with_missed(missed == "true")

    @extend_schema(
        operation_id="pickups_create",
        summary="Request a pickup",
        description="For merchants: parcels of one courier at one address. Each number has its own result; "
        "what does not fit is left out, and 409 `no_parcel` if none is left. The window ends no later than "
        "the promised pickup of each of its parcels. Once it is accepted, the courier is due by its end.",
        parameters=[IDEMPOTENCY_KEY],
        request=PickupBody,
        responses={201: RequestedAnswer},
        examples=examples.PICKUP,
        tags=["pickups"],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        refuse_unknown_parameters(request)

        def work() -> tuple[int, JSON]:
            body = PickupBody(data=request.data)
            body.is_valid(raise_exception=True)
            now = timezone.now()
            asked = _asked(actor, body.validated_data, now)
            requested = request_pickup(actor=actor, asked=asked, now=now)
            view = pickup_of(actor, requested.pickup.pk, now)
            sent = body.validated_data.get("tracking_numbers")
            return 201, {**_json(view), "results": _results(sent, asked, requested)}

        response = idempotent(request, "pickups_create", work)
        response["Location"] = reverse("api:parcels:pickup_detail", args=[response.data["id"]])
        return response


class PickupView(ApiView):
    """One request."""

    @extend_schema(
        operation_id="pickups_retrieve",
        summary="Read a pickup request",
        description="With its parcels, and which of them were picked up when.",
        responses=PickupDetailAnswer,
        tags=["pickups"],
    )
    def get(self, request: Request, pickup_id: int) -> Response:
        refuse_unknown_parameters(request)
        return Response(_detail(actor_of(request), pickup_id))


class AnswerView(ApiView):
    """One answer to a request: each call is a verb of `parcels.pickups.services`."""

    body_class: ClassVar[type[Body] | None] = None
    # Of the side whose answer it is; None: of either.
    capability: ClassVar[Capability | None] = Capability.SEND_SCANS

    def answered(self, request: Request, pickup_id: int) -> Response:
        actor = actor_of(request)
        own = Capability.BOOK_PARCELS if actor.is_merchant else Capability.SEND_SCANS
        require(actor, self.capability or own)
        # Somebody else's request is not found, whatever the body says.
        pickup_of(actor, pickup_id, timezone.now())
        values: JSON = {}
        if self.body_class is None:
            refuse_body(request.data)
        else:
            body = self.body_class(data=request.data)
            body.is_valid(raise_exception=True)
            values = body.validated_data
        self.do(actor, pickup_id, values, timezone.now())
        return Response(_detail(actor, pickup_id))

    def do(self, actor: Actor, pickup_id: int, values: JSON, now: datetime) -> None:
        raise NotImplementedError


class PickupAcceptView(AnswerView):
    @extend_schema(
        operation_id="pickups_accept",
        summary="Accept a pickup request",
        description="For couriers. The pickup of its parcels is due by the end of the window from now on, or "
        "as promised, whichever is sooner. Accepting again changes nothing.",
        request=None,
        responses=PickupDetailAnswer,
        tags=["pickups"],
    )
    def post(self, request: Request, pickup_id: int) -> Response:
        return self.answered(request, pickup_id)

    def do(self, actor: Actor, pickup_id: int, values: JSON, now: datetime) -> None:
        answering.accept_pickup(actor=actor, pickup_id=pickup_id, now=now)


class PickupProposeView(AnswerView):
    body_class = ProposalBody
    capability = None

    @extend_schema(
        operation_id="pickups_propose",
        summary="Propose another window",
        description="For couriers instead of accepting; for both sides once a window is agreed on, which "
        "stands until the other side agrees. A later proposal replaces it. A courier's may end after the "
        "promised pickup, which it does not change; a merchant's suits the promises of its parcels.",
        request=ProposalBody,
        responses=PickupDetailAnswer,
        examples=examples.WINDOW,
        tags=["pickups"],
    )
    def post(self, request: Request, pickup_id: int) -> Response:
        return self.answered(request, pickup_id)

    def do(self, actor: Actor, pickup_id: int, values: JSON, now: datetime) -> None:
        proposing.propose_window(
            actor=actor,
            pickup_id=pickup_id,
            starts_at=values["starts_at"],
            ends_at=values["ends_at"],
            answer=values["note"],
            now=now,
        )


class PickupDeclineView(AnswerView):
    body_class = NoteBody

    @extend_schema(
        operation_id="pickups_decline",
        summary="Decline a pickup request",
        description="For couriers. The promised pickup stays due.",
        request=NoteBody,
        responses=PickupDetailAnswer,
        examples=examples.PICKUP_DECLINED,
        tags=["pickups"],
    )
    def post(self, request: Request, pickup_id: int) -> Response:
        return self.answered(request, pickup_id)

    def do(self, actor: Actor, pickup_id: int, values: JSON, now: datetime) -> None:
        answering.decline_pickup(actor=actor, pickup_id=pickup_id, answer=values["note"], now=now)


class PickupAgreeView(AnswerView):
    body_class = WindowBody
    capability = None

    @extend_schema(
        operation_id="pickups_agree",
        summary="Agree to a proposed window",
        description="For the side that did not propose it. Name the window that was read: 409 `window_over` "
        "if another one was proposed since, or its hour or that of the agreed window has passed.",
        request=WindowBody,
        responses=PickupDetailAnswer,
        examples=examples.WINDOW,
        tags=["pickups"],
    )
    def post(self, request: Request, pickup_id: int) -> Response:
        return self.answered(request, pickup_id)

    def do(self, actor: Actor, pickup_id: int, values: JSON, now: datetime) -> None:
        proposing.agree_to_window(actor=actor, pickup_id=pickup_id, now=now, **values)


class PickupKeepView(AnswerView):
    body_class = WindowBody
    capability = None

    @extend_schema(
        operation_id="pickups_keep",
        summary="Keep the agreed window",
        description="Take the own proposal to move it back, or refuse the other side's: name the window that "
        "was proposed. 409 `window_over` if another one was proposed since. Again, it changes nothing.",
        request=WindowBody,
        responses=PickupDetailAnswer,
        examples=examples.WINDOW,
        tags=["pickups"],
    )
    def post(self, request: Request, pickup_id: int) -> Response:
        return self.answered(request, pickup_id)

    def do(self, actor: Actor, pickup_id: int, values: JSON, now: datetime) -> None:
        proposing.keep_window(actor=actor, pickup_id=pickup_id, now=now, **values)


class PickupCancelView(AnswerView):
    capability = Capability.BOOK_PARCELS

    @extend_schema(
        operation_id="pickups_cancel",
        summary="Cancel a pickup request",
        description="For merchants, until an agreed window is over. Its parcels stay booked, and are "
        "promised as before.",
        request=None,
        responses=PickupDetailAnswer,
        tags=["pickups"],
    )
    def post(self, request: Request, pickup_id: int) -> Response:
        return self.answered(request, pickup_id)

    def do(self, actor: Actor, pickup_id: int, values: JSON, now: datetime) -> None:
        answering.cancel_pickup(actor=actor, pickup_id=pickup_id, now=now)


def _asked(actor: Actor, values: JSON, now: datetime) -> Asked:
    courier_id = _courier(values["courier"]) if "courier" in values else None
    address_id = values.get("pickup_address")
    if "tracking_numbers" in values:
        numbers = values["tracking_numbers"]
        parcels = [parcel_id_of(each, f"/tracking_numbers/{index}") for index, each in enumerate(numbers)]
    else:
        parcels = [*_all_waiting(actor, courier_id, address_id, now)]
    return Asked(parcels, values["starts_at"], values["ends_at"], courier_id, address_id, values["note"])


def _courier(public_id: str) -> int:
    couriers = Organisation.objects.couriers_by_id(public_id)
    courier_id = couriers.values_list("pk", flat=True).first()
    if courier_id is None:
        raise InvalidInput(errors=[FieldError("/courier", _("Unknown courier."), "unknown")])
    return courier_id


def _all_waiting(
    actor: Actor, courier_id: int | None, address_id: int | None, now: datetime
) -> list[int | AllianceError]:
    message = _("Give `tracking_numbers`, or both `courier` and `pickup_address`.")
    if courier_id is None or address_id is None:
        raise InvalidInput(errors=[FieldError("/tracking_numbers", message, "required")])
    if not PickupAddress.objects.visible_to(actor).filter(pk=address_id).exists():
        message = _("Unknown pickup address.")
        raise InvalidInput(errors=[FieldError("/pickup_address", message, "unknown")])
    waiting = waiting_parcels(actor, now, Stop(courier_id, address_id))
    if not waiting:
        raise Conflict(_("No parcel waits for this courier there."), code="no_parcel")
    return [parcel.pk for parcel in waiting[0].parcels]


def _results(sent: list[object] | None, asked: Asked, requested: Requested) -> list[JSON]:
    """One for each number, as it was sent."""
    answers: list[JSON] = []
    for index, (each, result) in enumerate(zip(asked.parcels, requested.results, strict=True)):
        item = tracking_number(each) if sent is None and isinstance(each, int) else sent and sent[index]
        number = {"tracking_number": item} if isinstance(item, str) else {}
        if isinstance(result, AllianceError):
            answers.append({"index": index, **number, "status": "rejected", **rejection_json(result)})
        else:
            answers.append({"index": index, **number, "status": "requested"})
    return answers


def _detail(actor: Actor, pickup_id: int) -> JSON:
    view = pickup_of(actor, pickup_id, timezone.now())
    return {**_json(view), "items": [_item(each, view.zone) for each in parcels_of(actor, view.pickup)]}


def _item(parcel: Parcel, zone: str) -> JSON:
    return {
        "tracking_number": parcel.number,
        "status": parcel.status,
        "pickup_by": parcel.pickup_by and moment_text(parcel.pickup_by, zone),
        "picked_up_at": parcel.picked_up_at and moment_text(parcel.picked_up_at, zone),
    }


def _json(view: View) -> JSON:
    pickup, address, zone = view.pickup, view.address, view.zone
    return {
        "id": public_id(IdKind.PICKUP, pickup.pk),
        "state": view.stage.value,
        "day": pickup.day.isoformat(),
        "window": _window(view.window),
        "proposed": view.proposed and _window(view.proposed),
        "proposed_by": pickup.proposed_by or None,
        "courier": pickup.courier.organisation.public_id,
        "courier_name": pickup.courier.organisation.name,
        "merchant": public_id(IdKind.MERCHANT, pickup.merchant_id),
        "merchant_name": view.merchant,
        "pickup_place": {
            "id": public_id(IdKind.PICKUP_ADDRESS, address.pk),
            "name": address.name,
            **place_json("city", address.city),
            "address": address.address,
            "contact_name": address.contact_name,
            "contact_phone": address.contact_phone,
        },
        "parcel_count": view.progress.parcels,
        "picked_up": view.progress.picked_up,
        "missed": view.progress.missed,
        "weight_g": pickup.weight_g,
        "note": pickup.note,
        "answer": pickup.answer,
        "proposal_note": pickup.move_note,
        "requested_at": moment_text(pickup.requested_at, zone),
        "answered_at": pickup.answered_at and moment_text(pickup.answered_at, zone),
    }


def _window(window: Window) -> JSON:
    return {
        "starts_at": moment_text(window.starts_at, window.zone),
        "ends_at": moment_text(window.ends_at, window.zone),
    }
