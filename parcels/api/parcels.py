"""API of quotes and parcels."""

from itertools import islice
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alliance import audit
from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.parsing import refuse_body, refuse_unknown_parameters
from alliance.api.views import ApiView
from alliance.choices import Capability
from alliance.cities import search_cities
from alliance.errors import AllianceError, FieldError, InvalidInput, NotFound, TooLarge
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Actor, require
from parcels.api import answers, examples
from parcels.api import serializers as schema
from parcels.api.batches import read_batch
from parcels.api.booked import BookedAnswer, booked_json
from parcels.api.booking_bodies import Places, lists_pieces, read_order, read_quote, recipient_of, under
from parcels.api.paging import ParcelPagination
from parcels.api.states import ParcelAnswer, ParcelPage
from parcels.bookings.rules import BATCH_LIMIT, BookingRequest, text_problems
from parcels.bookings.services.booking import book_order, book_parcels
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.refusals import order_refusal
from parcels.bookings.services.writing import Booked, are_there
from parcels.lists.filters import LOOKED_AT, ParcelFilter
from parcels.models import Parcel
from parcels.recipients.services.saving import note_use
from slas.listed import first_with_names
from slas.offers.quotes import quote

CITIES_SHOWN = 20
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Any text of up to 255 characters. If it is sent again within 24 hours with the same body, "
    "the first answer is repeated and nothing is booked twice.",
)


class QuoteView(ApiView):
    """The offers for a parcel: couriers, promises and prices."""

    @extend_schema(
        operation_id="quotes_create",
        summary="Quote",
        description="Offers of the requested tiers, the recommended one first. Reserves nothing.",
        request=schema.QuoteBody,
        responses=schema.QuoteAnswer,
        examples=examples.QUOTE,
        tags=["booking"],
    )
    def post(self, request: Request) -> Response:
        actor, now = actor_of(request), timezone.now()
        require(actor, Capability.BOOK_PARCELS)
        quote_request = read_quote(request.data, Places(actor, [request.data]), at=now)
        return Response(answers.quote_json(quote(actor=actor, request=quote_request, at=now)))


class ParcelListView(ApiView):
    """List the organisation's parcels, and book one parcel."""

    @extend_schema(
        operation_id="parcels_list",
        summary="List parcels",
        description="The newest first, those of your own organisation. Of a filtered list, a page looks at "
        f"no more than {LOOKED_AT:,} parcels: it may hold fewer than asked for, or none, and still have a "
        "`next`. Ask on until `next` is null; days given (`booked_from`, `booked_to`) leave less to look at.",
        parameters=[
            schema.ParcelsQuery,
            OpenApiParameter("cursor", str, description="From `next` or `previous`."),
            OpenApiParameter("page_size", int, description="50 by default, 500 at most."),
        ],
        responses=ParcelPage,
        examples=examples.PARCELS,
        tags=["parcels"],
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.VIEW_PARCELS)
        unmasked = _may_unmask(actor, request, *ParcelFilter.base_filters, "cursor", "page_size")
        pages = ParcelPagination()
        page = pages.page_of(_filtered(actor, request.query_params), request)
        if unmasked and page:
            _record_unmasking(actor, page)
        return pages.get_paginated_response(answers.parcels_json(actor, page, unmasked=unmasked))

    @extend_schema(
        operation_id="parcels_create",
        summary="Book a parcel",
        description="Reserves capacity, fixes the promise and returns the tracking number. What a quote said "
        "can be sent as `courier` and `expected_...`: it is booked only if a quote would still say so. 409 "
        "`promise_changed`, `price_changed` and `capacity_full` name in `available` what can be booked now. "
        "An order of several parcels lists them in `pieces`: they go to one courier with one promise, or "
        "none is booked.",
        parameters=[IDEMPOTENCY_KEY],
        request=schema.BookingBody,
        responses={201: BookedAnswer},
        examples=examples.BOOKING,
        tags=["booking"],
    )
    def post(self, request: Request) -> Response:
        actor, now = actor_of(request), timezone.now()
        require(actor, Capability.BOOK_PARCELS)

        def work() -> tuple[int, answers.JSON]:
            is_listed = lists_pieces(request.data)
            requests = read_order(request.data, Places(actor, [request.data]), at=now)
            booked = book_order(actor=actor, requests=requests, at=now, is_listed=is_listed)
            if saved := recipient_of(request.data):
                note_use(actor=actor, recipient_ids=[saved], at=now)
            return 201, booked_json(actor, booked, is_listed=is_listed, at=now)

        response = idempotent(
            request, "parcels_create", work, is_there=lambda body: are_there(_numbers_in(body))
        )
        response["Location"] = reverse("api:parcels:parcel_detail", args=[response.data["tracking_number"]])
        return response


class ParcelBatchView(ApiView):
    """Book up to a thousand parcels."""

    @extend_schema(
        operation_id="parcels_batch_create",
        summary="Book many parcels",
        description=f"Up to {BATCH_LIMIT:,}: an array, or an object with the array in `parcels`. Each "
        "item gets its own result, in order; a rejected item does not stop the others. An item may be an "
        "order with several `pieces`, which are booked together or not at all; the limit counts them. "
        "Capacity is assigned in order. An item for which the day is full is rejected (`if_full: refuse`, "
        "the default); with "
        "`if_full: next` it goes to the next day, unless it names a courier or a promise.",
        parameters=[IDEMPOTENCY_KEY],
        request=PolymorphicProxySerializer(
            component_name="Batch",
            serializers=[schema.BatchObjectBody, schema.BookingBody(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        responses=schema.BatchAnswer,
        examples=examples.BATCH,
        tags=["booking"],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)

        def work() -> tuple[int, answers.JSON]:
            return 200, _book_batch(actor, request.data)

        return idempotent(request, "parcels_batch", work, is_there=_is_there)


class ParcelDetailView(ApiView):
    """One parcel."""

    @extend_schema(
        operation_id="parcels_retrieve",
        summary="Read a parcel",
        description="One of your own parcels. The recipient is masked unless requested in full.",
        parameters=[schema.UnmaskQuery],
        responses=ParcelAnswer,
        examples=examples.PARCEL,
        tags=["parcels"],
    )
    def get(self, request: Request, tracking_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.VIEW_PARCELS)
        unmasked = _may_unmask(actor, request)
        parcel = _parcel(actor, tracking_number)
        if unmasked:
            _record_unmasking(actor, [parcel])
        return Response(answers.parcels_json(actor, [parcel], unmasked=unmasked)[0])


class ParcelCancelView(ApiView):
    """Cancel a parcel before its pickup."""

    @extend_schema(
        operation_id="parcels_cancel",
        summary="Cancel a parcel",
        description="Before pickup only; 409 `already_moving` afterwards. Cancelling again returns the same "
        "answer.",
        request=None,
        responses=ParcelAnswer,
        examples=examples.CANCELLED,
        tags=["booking"],
    )
    def post(self, request: Request, tracking_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        refuse_body(request.data)
        cancel_parcel(actor=actor, parcel_id=_parcel_id(tracking_number), at=timezone.now())
        return Response(answers.parcels_json(actor, [_parcel(actor, tracking_number)])[0])


class CityListView(ApiView):
    """Cities that parcels are sent from and to."""

    @extend_schema(
        operation_id="cities_list",
        summary="Find a city",
        description=f"The best {CITIES_SHOWN} matches by code, English or Chinese name.",
        parameters=[
            OpenApiParameter("search", str, description="Code or name, or the start of one.", required=True)
        ],
        responses=schema.CityAnswer(many=True),
        tags=["reference"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, "search")
        text = request.query_params.get("search", "").strip()
        if problems := list(text_problems("/search", text, 120)):
            raise InvalidInput(errors=problems)
        return Response([answers.city_json(city) for city in search_cities(text)[:CITIES_SHOWN]])


def _book_batch(actor: Actor, body: object) -> answers.JSON:
    """Read a batch, book it and return its results; an unreadable item is rejected like any other."""
    message = _("Send an array of parcels, or an object with the array in “parcels”.")
    items, base = read_batch(body, "parcels", message)
    now = timezone.now()
    places = Places(actor, items)
    results: dict[int, list[Booked] | AllianceError] = {}
    orders: dict[int, list[BookingRequest]] = {}
    for index, item in enumerate(items):
        try:
            orders[index] = read_order(item, places, at=now)
        except InvalidInput as refusal:
            results[index] = refusal
    requests = [request for order in orders.values() for request in order]
    if len(requests) > BATCH_LIMIT:
        raise TooLarge(_("A batch can have at most %d parcels. Split it.") % BATCH_LIMIT)
    answered = iter(book_parcels(actor=actor, requests=requests, at=now))
    for index, order in orders.items():
        booked = list(islice(answered, len(order)))
        refused = order_refusal(booked, is_listed=lists_pieces(items[index]))
        results[index] = refused or [each for each in booked if isinstance(each, Booked)]
    named = [
        recipient_of(items[index])
        for index, result in results.items()
        if not isinstance(result, AllianceError)
    ]
    if saved := [number for number in named if number]:
        note_use(actor=actor, recipient_ids=saved, at=now)
    for index, result in results.items():
        if isinstance(result, AllianceError):
            result.errors = list(under(f"{base}/{index}", result.errors))
    return answers.batch_json([results[index] for index in range(len(items))], items)


def _is_there(body: Any) -> bool:
    return are_there([number for result in body["results"] for number in _numbers_in(result)])


def _numbers_in(result: Any) -> list[str]:
    """The parcels of one answer, if it has any."""
    if "parcels" in result:
        return [parcel["tracking_number"] for parcel in result["parcels"]]
    return [result["tracking_number"]] if "tracking_number" in result else []


def _filtered(actor: Actor, query: QueryDict) -> ParcelFilter:
    filters = ParcelFilter(query, queryset=Parcel.objects.visible_to(actor), all_organisations=actor.is_ops)
    if not filters.is_valid():
        raise InvalidInput(
            errors=[
                FieldError(f"/{name}", str(error.message % (error.params or {})), error.code or "invalid")
                for name, errors in filters.errors.as_data().items()
                for error in errors
            ]
        )
    return filters


def _parcel(actor: Actor, number: str) -> Parcel:
    parcel = first_with_names(Parcel.objects.visible_to(actor).filter(pk=_parcel_id(number)))
    if parcel is None:
        raise NotFound
    return parcel


def _parcel_id(number: str) -> int:
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None


def _may_unmask(actor: Actor, request: Request, *also: str) -> bool:
    """Whether the request asks for unmasked recipients. Raises NotPermitted if the actor may not unmask.

    `also` are the view's other parameters; unknown parameters are refused.
    """
    refuse_unknown_parameters(request, *schema.UnmaskQuery().fields, *also)
    query = schema.UnmaskQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    if query.validated_data["unmask"]:
        require(actor, Capability.UNMASK)
    return bool(query.validated_data["unmask"])


def _record_unmasking(actor: Actor, parcels: list[Parcel]) -> None:
    numbers = [parcel.number for parcel in parcels]
    audit.record(
        actor=actor,
        verb="parcel.unmasked",
        object_type="parcel",
        object_id=parcels[0].pk,
        detail={"count": len(numbers), "numbers": numbers},
    )
