"""API of webhooks: endpoints, their secrets and deliveries, replays."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.pagination import CursorPagination
from alliance.api.parsing import refuse_body, refuse_unknown_parameters
from alliance.api.views import ApiView
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Actor, require
from parcels.api import examples
from parcels.api.parcels import IDEMPOTENCY_KEY
from parcels.api.webhook_answers import (
    delivery_detail_json,
    delivery_json,
    detail_json,
    endpoint_json,
    replay_json,
)
from parcels.api.webhook_schema import (
    DeliveriesQuery,
    DeliveryAnswer,
    DeliveryDetailAnswer,
    NewWebhookAnswer,
    ReplayAnswer,
    ReplayBody,
    TopicsAnswer,
    WebhookAnswer,
    WebhookBody,
    WebhookChangeBody,
    WebhookDetailAnswer,
)
from parcels.choices import ReplayKind
from parcels.models import WebhookDelivery, WebhookEndpoint, WebhookReplay
from parcels.webhooks import queries
from parcels.webhooks.services import endpoints, replaying
from parcels.webhooks.services.endpoints import Draft, endpoint_of
from parcels.webhooks.topics import TOPICS, topics_for

JSON = dict[str, Any]
TAGS = ["webhooks"]


class TopicsView(ApiView):
    @extend_schema(
        operation_id="webhook_topics",
        summary="List the events that webhooks may be sent",
        description="Those that your organisation, and this key, may ask for, each with an example.",
        responses=TopicsAnswer,
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.MANAGE_WEBHOOKS)
        refuse_unknown_parameters(request)
        names = topics_for(actor)
        return Response(
            {
                "results": [
                    {"topic": name, "about": str(TOPICS[name].about), "example": dict(TOPICS[name].example)}
                    for name in names
                ]
            }
        )


class WebhooksView(generics.ListAPIView[WebhookEndpoint]):
    """Endpoints of the caller's organisation."""

    serializer_class = WebhookAnswer
    filter_backends = ()

    @extend_schema(
        operation_id="webhooks_list",
        summary="List webhooks",
        description="Yours, the newest first.",
        tags=TAGS,
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([endpoint_json(endpoint) for endpoint in page or []])

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        if getattr(self, "swagger_fake_view", False):
            return WebhookEndpoint.objects.none()
        refuse_unknown_parameters(self.request, "cursor", "page_size")
        return queries.endpoints_of(actor_of(self.request))

    @extend_schema(
        operation_id="webhooks_create",
        summary="Add a webhook",
        description="The answer has the secret that signs its messages, which is shown only now.",
        parameters=[IDEMPOTENCY_KEY],
        request=WebhookBody,
        responses={201: NewWebhookAnswer},
        examples=examples.WEBHOOK,
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.MANAGE_WEBHOOKS)
        refuse_unknown_parameters(request)

        def work() -> tuple[int, JSON]:
            body = WebhookBody(data=request.data)
            body.is_valid(raise_exception=True)
            endpoint, secret = endpoints.create_endpoint(actor=actor, draft=Draft(**body.validated_data))
            return 201, {**detail_json(endpoint), "secret": secret}

        response = idempotent(request, "webhooks_create", work)
        response["Location"] = reverse("api:parcels:webhook_detail", args=[response.data["id"]])
        return response


class WebhookView(ApiView):
    """One endpoint."""

    @extend_schema(
        operation_id="webhooks_retrieve",
        summary="Read a webhook",
        description="With figures of the last 24 hours.",
        responses=WebhookDetailAnswer,
        tags=TAGS,
    )
    def get(self, request: Request, webhook_id: str) -> Response:
        refuse_unknown_parameters(request)
        return Response(detail_json(endpoint_of(actor_of(request), webhook_id)))

    @extend_schema(
        operation_id="webhooks_change",
        summary="Change a webhook",
        description="What waits already is sent to the new address.",
        request=WebhookChangeBody,
        responses=WebhookDetailAnswer,
        examples=examples.WEBHOOK_CHANGE,
        tags=TAGS,
    )
    def patch(self, request: Request, webhook_id: str) -> Response:
        actor = actor_of(request)
        endpoint_of(actor, webhook_id)
        body = WebhookChangeBody(data=request.data)
        body.is_valid(raise_exception=True)
        draft = Draft(**body.validated_data)
        return Response(detail_json(endpoints.change_endpoint(actor=actor, code=webhook_id, draft=draft)))

    @extend_schema(
        operation_id="webhooks_delete",
        summary="Delete a webhook",
        description="What waits for it is never sent.",
        request=None,
        responses={204: None},
        tags=TAGS,
    )
    def delete(self, request: Request, webhook_id: str) -> Response:
        endpoints.delete_endpoint(actor=actor_of(request), code=webhook_id)
        return Response(status=204)


class VerbView(ApiView):
    """Something done to an endpoint; the answer is the endpoint."""

    def done(self, request: Request, webhook_id: str) -> Response:
        actor = actor_of(request)
        endpoint_of(actor, webhook_id)
        refuse_body(request.data)
        return Response(self.do(actor, webhook_id))

    def do(self, actor: Actor, code: str) -> JSON:
        raise NotImplementedError


class WebhookPauseView(VerbView):
    @extend_schema(
        operation_id="webhooks_pause",
        summary="Pause a webhook",
        description="What happens meanwhile waits, and is sent once it is resumed.",
        request=None,
        responses=WebhookDetailAnswer,
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        return self.done(request, webhook_id)

    def do(self, actor: Actor, code: str) -> JSON:
        return detail_json(endpoints.pause_endpoint(actor=actor, code=code))


class WebhookResumeView(VerbView):
    @extend_schema(
        operation_id="webhooks_resume",
        summary="Resume a webhook",
        description="Also one that was switched off. What happened while it was off is brought by a replay.",
        request=None,
        responses=WebhookDetailAnswer,
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        return self.done(request, webhook_id)

    def do(self, actor: Actor, code: str) -> JSON:
        return detail_json(endpoints.resume_endpoint(actor=actor, code=code))


class WebhookRotateView(VerbView):
    @extend_schema(
        operation_id="webhooks_rotate_secret",
        summary="Rotate the secret",
        description="The answer has the new secret, which is shown only now. The one before signs beside it "
        "for 24 hours.",
        request=None,
        responses=NewWebhookAnswer,
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        return self.done(request, webhook_id)

    def do(self, actor: Actor, code: str) -> JSON:
        endpoint, secret = endpoints.rotate_secret(actor=actor, code=code)
        return {**detail_json(endpoint), "secret": secret}


class WebhookTestView(VerbView):
    @extend_schema(
        operation_id="webhooks_test",
        summary="Send a test message",
        description="Of the type `webhook.test`. Read the delivery for what was answered.",
        request=None,
        responses=DeliveryDetailAnswer,
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        return self.done(request, webhook_id)

    def do(self, actor: Actor, code: str) -> JSON:
        return delivery_detail_json(actor, endpoints.send_test(actor=actor, code=code))


class DeliveryPagination(CursorPagination):
    # One as DRF has it: events of one moment are told apart by their place.
    ordering = "-at"


class DeliveriesView(generics.ListAPIView[WebhookDelivery]):
    serializer_class = DeliveryAnswer
    filter_backends = ()
    pagination_class = DeliveryPagination

    @extend_schema(
        operation_id="webhook_deliveries_list",
        summary="List the deliveries of a webhook",
        description="Of the last 30 days, newest first.",
        parameters=[DeliveriesQuery],
        tags=TAGS,
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([delivery_json(delivery) for delivery in page or []])

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        if getattr(self, "swagger_fake_view", False):
            return WebhookDelivery.objects.none()
        actor = actor_of(self.request)
        endpoint = endpoint_of(actor, self.kwargs["webhook_id"])
        refuse_unknown_parameters(self.request, *DeliveriesQuery().fields, "cursor", "page_size")
        query = DeliveriesQuery(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        values = query.validated_data
        number = values.get("tracking_number")
        return queries.deliveries_of(
            actor,
            endpoint,
            state=values.get("state"),
            topic=values.get("topic"),
            parcel_id=None if number is None else _parcel_id(number),
        )


class DeliveryView(ApiView):
    @extend_schema(
        operation_id="webhook_deliveries_retrieve",
        summary="Read a delivery",
        description="With its body and every attempt.",
        responses=DeliveryDetailAnswer,
        tags=TAGS,
    )
    def get(self, request: Request, webhook_id: str, message_id: str) -> Response:
        refuse_unknown_parameters(request)
        actor = actor_of(request)
        endpoint = endpoint_of(actor, webhook_id)
        return Response(delivery_detail_json(actor, replaying.delivery_of(actor, endpoint, message_id)))


class DeliveryReplayView(ApiView):
    @extend_schema(
        operation_id="webhook_deliveries_replay",
        summary="Send a message again",
        description="With the same `webhook-id`. One that waits is sent now.",
        request=None,
        responses=DeliveryDetailAnswer,
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: str, message_id: str) -> Response:
        actor = actor_of(request)
        replaying.delivery_of(actor, endpoint_of(actor, webhook_id), message_id)
        refuse_body(request.data)
        delivery = replaying.replay_delivery(actor=actor, code=webhook_id, message=message_id)
        return Response(delivery_detail_json(actor, delivery))


class ReplaysView(generics.ListAPIView[WebhookReplay]):
    serializer_class = ReplayAnswer
    filter_backends = ()

    @extend_schema(
        operation_id="webhook_replays_list",
        summary="List replays",
        description="Newest first, and how far each is.",
        tags=TAGS,
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([replay_json(replay) for replay in page or []])

    def get_queryset(self) -> QuerySet[WebhookReplay]:
        if getattr(self, "swagger_fake_view", False):
            return WebhookReplay.objects.none()
        actor = actor_of(self.request)
        endpoint = endpoint_of(actor, self.kwargs["webhook_id"])
        refuse_unknown_parameters(self.request, "cursor", "page_size")
        return queries.replays_of(actor, endpoint)

    @extend_schema(
        operation_id="webhook_replays_create",
        summary="Send a time again",
        description="Prepared in the background; 409 `replay_running` while another one is.",
        parameters=[IDEMPOTENCY_KEY],
        request=ReplayBody,
        responses={201: ReplayAnswer},
        examples=examples.WEBHOOK_REPLAY,
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        actor = actor_of(request)
        endpoint_of(actor, webhook_id)
        refuse_unknown_parameters(request)

        def work() -> tuple[int, JSON]:
            body = ReplayBody(data=request.data)
            body.is_valid(raise_exception=True)
            values = body.validated_data
            replay = replaying.start_replay(
                actor=actor,
                code=webhook_id,
                kind=ReplayKind(values["kind"]),
                starts_at=values["starts_at"],
                ends_at=values.get("ends_at"),
            )
            return 201, replay_json(replay)

        return idempotent(request, f"webhook_replays_create {webhook_id}", work)


def _parcel_id(number: str) -> int:
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise InvalidInput(errors=[FieldError("/tracking_number", str(error), error.reason)]) from None
