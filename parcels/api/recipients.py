"""API of a merchant's address book."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.pagination import CursorPagination
from alliance.api.parsing import Body, refuse_body, refuse_unknown_parameters
from alliance.api.public_ids import PublicIdField
from alliance.choices import Capability
from alliance.cities import MOST_LETTERS, UnknownCity, resolve_city
from alliance.errors import FieldError, InvalidInput
from alliance.models import City
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import require
from parcels.api import examples
from parcels.api import serializers as schema
from parcels.api.answers import place_json
from parcels.api.parcels import IDEMPOTENCY_KEY
from parcels.bookings.rules import text_problems
from parcels.models import SavedRecipient
from parcels.recipients.queries import shown
from parcels.recipients.rules import MOST_SAVED, REMARK_LENGTH, Entry
from parcels.recipients.services.saving import (
    record_unmasking,
    remove_recipient,
    require_keeper,
    save_recipient,
)

JSON = dict[str, Any]
_SEARCH_LENGTH = 80
_MOMENT = serializers.DateTimeField()


class SavedRecipientBody(Body):
    """A recipient to save."""

    name = serializers.CharField(max_length=120)
    phone = serializers.CharField(max_length=40)
    city = serializers.CharField(max_length=MOST_LETTERS, help_text="Code or name.")
    address = serializers.CharField(
        max_length=300, help_text="Street, building, unit and room, without the city."
    )
    remark = serializers.CharField(
        max_length=REMARK_LENGTH, default="", allow_blank=True, help_text="For yourself; it is on no label."
    )


class SavedRecipientAnswer(serializers.Serializer[Any]):
    id = PublicIdField(IdKind.RECIPIENT, help_text="Sent as `recipient_id` of a booking.")
    name = serializers.CharField()
    phone = serializers.CharField()
    city = serializers.CharField(help_text="City code.")
    city_name = serializers.CharField(help_text="In the language of the request.")
    address = serializers.CharField()
    remark = serializers.CharField()
    is_masked = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()


class SavedRecipientPage(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = SavedRecipientAnswer(many=True)


class RecipientsView(APIView):
    """The merchant's address book."""

    @extend_schema(
        operation_id="recipients_list",
        summary="List saved recipients",
        description="Your address book, the newest first, masked unless requested in full.",
        parameters=[
            schema.UnmaskQuery,
            OpenApiParameter(
                "search", str, description="A part of the name, or four digits or more of the phone."
            ),
            OpenApiParameter("cursor", str, description="From `next` or `previous`."),
            OpenApiParameter("page_size", int, description="50 by default, 500 at most."),
        ],
        responses=SavedRecipientPage,
        tags=["booking"],
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        require_keeper(actor)
        refuse_unknown_parameters(request, *schema.UnmaskQuery().fields, "search", "cursor", "page_size")
        query = schema.UnmaskQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        unmasked = bool(query.validated_data["unmask"])
        if unmasked:
            require(actor, Capability.UNMASK)
        text = request.query_params.get("search", "").strip()
        if problems := list(text_problems("/search", text, _SEARCH_LENGTH, required=False)):
            raise InvalidInput(errors=problems)
        pages = CursorPagination()
        rows = SavedRecipient.objects.visible_to(actor).called(text).select_related("city")
        page = pages.paginate_queryset(rows, request, view=self)
        if unmasked:
            record_unmasking(actor, [recipient.pk for recipient in page])
        return pages.get_paginated_response([_json(recipient, unmasked=unmasked) for recipient in page])

    @extend_schema(
        operation_id="recipients_create",
        summary="Save a recipient",
        description="201 for a new one; 200 and the one that is there for the same name, phone, city and "
        f"address. At most {MOST_SAVED:,}: 409 `address_book_full`. The answer is masked. A recipient that "
        "no booking named for a year is deleted.",
        parameters=[IDEMPOTENCY_KEY],
        request=SavedRecipientBody,
        responses={201: SavedRecipientAnswer, 200: SavedRecipientAnswer},
        examples=examples.RECIPIENT,
        tags=["booking"],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require_keeper(actor)

        def work() -> tuple[int, JSON]:
            body = SavedRecipientBody(data=request.data)
            body.is_valid(raise_exception=True)
            values = {**body.validated_data, "city": _city(body.validated_data["city"])}
            saved = save_recipient(actor=actor, entry=Entry.written(**values), at=timezone.now())
            return 201 if saved.is_new else 200, _json(saved.recipient)

        return idempotent(request, "recipients_create", work)


class RecipientView(APIView):
    """One saved recipient."""

    @extend_schema(
        operation_id="recipients_delete",
        summary="Delete a saved recipient",
        description="Gone for good; parcels booked for it keep their recipient.",
        responses={204: None},
        tags=["booking"],
    )
    def delete(self, request: Request, recipient_id: int) -> Response:
        actor = actor_of(request)
        require_keeper(actor)
        refuse_body(request.data)
        remove_recipient(actor=actor, recipient_id=recipient_id)
        return Response(status=204)


def _city(text: str) -> City:
    try:
        return resolve_city(text)
    except UnknownCity as unknown:
        raise InvalidInput(errors=[FieldError("/city", str(unknown), unknown.code)]) from None


def _json(recipient: SavedRecipient, *, unmasked: bool = False) -> JSON:
    texts = shown(recipient, unmasked=unmasked)
    return {
        "id": public_id(IdKind.RECIPIENT, recipient.pk),
        "name": texts.name,
        "phone": texts.phone,
        **place_json("city", recipient.city),
        "address": texts.address,
        "remark": texts.remark,
        "is_masked": not unmasked,
        "created_at": _MOMENT.to_representation(recipient.added_at),
        "last_used_at": _MOMENT.to_representation(recipient.last_used_at),
    }
