"""API of manifests: make, list, print, pick up, cancel."""

from typing import Any, Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.pagination import CursorPagination
from alliance.api.parsing import refuse_body, refuse_unknown_parameters
from alliance.api.views import ApiView
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.models import Organisation
from alliance.tenancy import Actor, require
from parcels.api import examples
from parcels.api.batches import NUMBERS
from parcels.api.labels import FileNegotiation
from parcels.api.manifest_answers import items, line_json, manifest_json, picked_up_json, read_json
from parcels.api.manifest_schema import (
    LinesAnswer,
    MadeAnswer,
    ManifestAnswer,
    ManifestBody,
    ManifestPage,
    ManifestQuery,
    PickedUpAnswer,
    PickUpBody,
    RemarkBody,
    RemoveBody,
    RemovedAnswer,
)
from parcels.manifests.files import as_pdf
from parcels.manifests.queries import (
    Pickup,
    counts_of,
    lines_of,
    manifest_for,
    manifests_of,
    missing_lines,
    removed_lines,
    with_addresses,
)
from parcels.manifests.rules import MOST_PARCELS
from parcels.manifests.services.making import (
    Made,
    Wanted,
    address_of,
    cancel_manifest,
    make_manifest_of_day,
    make_manifest_of_numbers,
    remark_manifest,
)
from parcels.manifests.services.picking_up import Told, pick_up
from parcels.manifests.services.removing import remove_parcels

JSON = dict[str, Any]
PARCELS_A_PAGE: Final = 500
_NUMBER: Final = OpenApiParameter(
    "manifest_number", str, OpenApiParameter.PATH, description="Such as MF7K2M9Q4X1C0."
)
KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Any text of up to 255 characters. Sent again within 24 hours with the same body, it gets "
    "the same answer, and no second manifest is made.",
)


class ManifestListView(ApiView):
    """The manifests of one's organisation."""

    @extend_schema(
        operation_id="manifests_list",
        summary="List manifests",
        description="Yours, as merchant or as courier, the newest first.",
        parameters=[
            ManifestQuery,
            OpenApiParameter("cursor", str, description="From `next` or `previous`."),
            OpenApiParameter("page_size", int, description="50 by default, 500 at most."),
        ],
        responses=ManifestPage,
        tags=["manifests"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, "cursor", "page_size", "state", "day")
        query = ManifestQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        rows = manifests_of(actor_of(request))
        rows = rows.filter(**query.validated_data)
        pages = CursorPagination()
        manifests = with_addresses(pages.paginate_queryset(rows, request, view=self))
        counts = counts_of(manifests)
        return pages.get_paginated_response([manifest_json(each, counts[each.pk]) for each in manifests])

    @extend_schema(
        operation_id="manifests_create",
        summary="Make a manifest",
        description="A handover list of one courier, place and day. With `courier` and `day` (and "
        "`pickup_address`, if the parcels were booked with one): all parcels that are booked and on no other "
        f"manifest, up to {MOST_PARCELS:,}. With `tracking_numbers`: these; what does not fit is rejected by "
        "itself, and the others are kept. 409 `no_parcel` if none is left. Its courier scans the "
        "barcode of the PDF once, and has picked all up.",
        parameters=[KEY],
        request=ManifestBody,
        responses={201: MadeAnswer},
        examples=examples.MANIFEST,
        tags=["manifests"],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        if not actor.is_merchant:
            raise NotFound

        def work() -> tuple[int, JSON]:
            body = ManifestBody(data=request.data)
            body.is_valid(raise_exception=True)
            return 201, _made_json(actor, body.validated_data)

        response = idempotent(request, "manifests_create", work)
        number = response.data["manifest"]["manifest_number"]
        response["Location"] = reverse("api:parcels:manifest_detail", args=[number])
        return response


class ManifestDetailView(ApiView):
    """One manifest."""

    @extend_schema(
        operation_id="manifests_retrieve",
        summary="Read a manifest",
        description="By the text of its barcode.",
        parameters=[_NUMBER],
        responses=ManifestAnswer,
        tags=["manifests"],
    )
    def get(self, request: Request, manifest_number: str) -> Response:
        refuse_unknown_parameters(request)
        return Response(read_json(manifest_for(actor_of(request), manifest_number)))


class ManifestParcelsView(ApiView):
    """What is on a manifest."""

    @extend_schema(
        operation_id="manifests_parcels",
        summary="List a manifest's parcels",
        description=f"{PARCELS_A_PAGE} at a time, in the order of booking, and what has become of each.",
        parameters=[_NUMBER, OpenApiParameter("after", str, description="From `next_after`.")],
        responses=LinesAnswer,
        tags=["manifests"],
    )
    def get(self, request: Request, manifest_number: str) -> Response:
        refuse_unknown_parameters(request, "after")
        actor = actor_of(request)
        manifest = manifest_for(actor, manifest_number)
        after = _after(request.query_params.get("after", ""))
        lines = lines_of(actor, manifest, after=after, most=PARCELS_A_PAGE + 1)
        page = lines[:PARCELS_A_PAGE]
        missing, removed = [], []
        if not after:
            missing, removed = missing_lines(actor, manifest), removed_lines(actor, manifest)
        return Response(
            {
                "results": [line_json(line) for line in page],
                "missing_parcels": [line_json(line) for line in missing],
                "removed_parcels": [line_json(line) for line in removed],
                "next_after": page[-1].parcel.number if len(lines) > PARCELS_A_PAGE else None,
            }
        )


class ManifestPdfView(ApiView):
    """The manifest on paper."""

    content_negotiation_class = FileNegotiation

    @extend_schema(
        operation_id="manifests_pdf",
        summary="Print a manifest",
        description="A PDF with the barcode, the parcels (recipients masked) and places to sign. Texts are "
        "in the language of `Accept-Language`.",
        parameters=[_NUMBER],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
        tags=["manifests"],
    )
    def get(self, request: Request, manifest_number: str) -> HttpResponse:
        refuse_unknown_parameters(request)
        actor = actor_of(request)
        manifest = manifest_for(actor, manifest_number)
        name = f"{manifest.number}.pdf"
        headers = {
            "Content-Disposition": content_disposition_header(as_attachment=False, filename=name) or "",
            "Cache-Control": "private, no-store",
        }
        return HttpResponse(as_pdf(actor, manifest), content_type="application/pdf", headers=headers)


class ManifestPickUpView(ApiView):
    """The courier's scan of the barcode."""

    @extend_schema(
        operation_id="manifests_pick_up",
        summary="Pick up a manifest",
        description="A `picked_up` scan of each of its parcels but those missing, at `picked_up_at`. "
        "Again, it changes nothing and gives the same answer, also after a crash. Missing parcels stay "
        "booked; `extra_numbers` (this merchant's, yours, booked) are picked up, too. A wrong number "
        "is rejected by itself. Cancelled parcels are counted and not picked up. A large manifest is "
        "`queued` and `running` until a worker has recorded all scans: read it until it is `handed_over`. "
        "409 `manifest_cancelled`.",
        parameters=[_NUMBER],
        request=PickUpBody,
        responses=PickedUpAnswer,
        examples=examples.PICK_UP,
        tags=["manifests"],
    )
    def post(self, request: Request, manifest_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.SEND_SCANS)
        body = PickUpBody(data=request.data or {})
        body.is_valid(raise_exception=True)
        data = body.validated_data
        told = Told(data.get("picked_up_at"), data.get("missing_numbers", ()), data.get("extra_numbers", ()))
        result = pick_up(actor=actor, number=manifest_number, told=told, now=timezone.now())
        return Response(picked_up_json(told, result))


class ManifestRemoveView(ApiView):
    """Take parcels off an open manifest."""

    @extend_schema(
        operation_id="manifests_remove",
        summary="Take parcels off a manifest",
        description="Before its pickup. They stay booked and can be put on another. Each number has its own "
        "result; one that was taken off before changes nothing. 409 `no_parcel` if none fits, "
        "`already_picked_up`, `manifest_cancelled`, and `nothing_left`: cancel the manifest then.",
        parameters=[_NUMBER],
        request=RemoveBody,
        responses=RemovedAnswer,
        examples=examples.NUMBERS_OFF,
        tags=["manifests"],
    )
    def post(self, request: Request, manifest_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        # Somebody else's manifest is not found, whatever the body says.
        manifest_for(actor, manifest_number)
        body = RemoveBody(data=request.data)
        body.is_valid(raise_exception=True)
        numbers = body.validated_data[NUMBERS]
        result = remove_parcels(actor=actor, number=manifest_number, numbers=numbers, at=timezone.now())
        return Response({"manifest": read_json(result.manifest), "results": items(numbers, result.results)})


class ManifestCancelView(ApiView):
    """Take an open manifest back."""

    @extend_schema(
        operation_id="manifests_cancel",
        summary="Cancel a manifest",
        description="Before its pickup. Its parcels stay booked and can be put on another. Cancelling again "
        "returns the same. 409 `already_picked_up`.",
        parameters=[_NUMBER],
        request=None,
        responses=ManifestAnswer,
        tags=["manifests"],
    )
    def post(self, request: Request, manifest_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        refuse_body(request.data)
        return Response(read_json(cancel_manifest(actor=actor, number=manifest_number, at=timezone.now())))


class ManifestRemarkView(ApiView):
    """What one's own side has to say."""

    @extend_schema(
        operation_id="manifests_remark",
        summary="Remark on a manifest",
        description="Replaces the remark of your side, which both sides see.",
        parameters=[_NUMBER],
        request=RemarkBody,
        responses=ManifestAnswer,
        examples=examples.REMARK,
        tags=["manifests"],
    )
    def put(self, request: Request, manifest_number: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.SEND_SCANS if actor.is_courier else Capability.BOOK_PARCELS)
        body = RemarkBody(data=request.data)
        body.is_valid(raise_exception=True)
        text = body.validated_data["remark"]
        return Response(read_json(remark_manifest(actor=actor, number=manifest_number, text=text)))


def _made_json(actor: Actor, data: JSON) -> JSON:
    made, numbers = _make(actor, data), data.get(NUMBERS, [])
    return {
        "manifest": read_json(manifest_for(actor, made.manifest.number)),
        "has_more": made.has_more,
        "results": items(numbers, made.results),
    }


def _make(actor: Actor, data: JSON) -> Made:
    errors: list[FieldError] = []
    wanted = Wanted(day=data.get("day"))
    if "courier" in data:
        wanted = Wanted(_courier_id(data["courier"], errors), day=wanted.day)
    if "pickup_address" in data:
        address = address_of(actor=actor, address_id=data["pickup_address"])
        if address is None:
            errors.append(FieldError("/pickup_address", _("Unknown pickup address."), "unknown"))
        else:
            wanted = Wanted(wanted.courier_id, address.city_id, address.pk, wanted.day)
    if NUMBERS not in data:
        # Without numbers, nothing else says which pickup is meant.
        errors += [
            FieldError(f"/{name}", _("This field is required."), "required")
            for name in ("courier", "day", "pickup_address")
            if name not in data
        ]
    if errors:
        raise InvalidInput(errors=errors)
    now = timezone.now()
    if NUMBERS in data:
        return make_manifest_of_numbers(actor=actor, numbers=data[NUMBERS], wanted=wanted, at=now)
    if wanted.courier_id is None or wanted.origin_id is None or wanted.day is None:
        raise LookupError(data)
    pickup = Pickup(actor.tenant_id, wanted.courier_id, wanted.origin_id, wanted.address_id, wanted.day)
    return make_manifest_of_day(actor=actor, pickup=pickup, at=now)


def _courier_id(public_id: str, errors: list[FieldError]) -> int | None:
    found = Organisation.objects.couriers_by_id(public_id).values_list("pk", flat=True).first()
    if found is None:
        errors.append(FieldError("/courier", _("Unknown courier."), "unknown"))
    return found


def _after(text: str) -> int:
    if not text:
        return 0
    try:
        return parse_tracking_number(text)
    except InvalidTrackingNumber as error:
        raise InvalidInput(errors=[FieldError("/after", str(error), "invalid")]) from None
