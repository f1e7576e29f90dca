"""API of exports: ask for a file, watch it being written, take it by its link."""

from typing import Any
from urllib.parse import urlencode

from django.http import FileResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.pagination import CursorPagination
from alliance.api.parsing import Body, WordField, refuse_unknown_parameters
from alliance.api.public_ids import PublicIdField
from alliance.public_ids import IdKind
from slas.api import examples
from slas.choices import ExportContent, ExportFormat, ExportState
from slas.exports.files import MEDIA_TYPES
from slas.exports.responses import file_response
from slas.exports.services import requests
from slas.models import Export

_PERIOD = f"Due dates, first and last included; at most {requests.MOST_DAYS} days."
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Any text of up to 255 characters. If it is sent again within 24 hours with the same body, "
    "the first answer is repeated and no second file is written.",
)


class ExportBody(Body):
    """What the file is to hold."""

    content = WordField(choices=ExportContent.choices)
    format = WordField(choices=ExportFormat.choices)
    to = serializers.DateField(help_text="Last due date.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" is a keyword, so it cannot be an attribute.
        first = serializers.DateField(help_text=f"First due date. {_PERIOD}")
        return {**super().get_fields(), "from": first}


class ExportAnswer(serializers.ModelSerializer[Export]):
    """A file, how far it is, and where it is to be had."""

    id = PublicIdField(IdKind.EXPORT)
    to = serializers.DateField(source="last")
    state = serializers.ChoiceField(choices=ExportState.choices)
    rows_done = serializers.IntegerField(source="done", help_text="Rows written so far.")
    rows_total = serializers.IntegerField(
        source="rows", allow_null=True, help_text="Estimated number of rows; exact once done."
    )
    size_bytes = serializers.IntegerField(source="size", help_text="Bytes; 0 until done.")
    problem = serializers.CharField(
        help_text="Why it failed; while it is not finished, why the last attempt failed or what it waits for."
    )
    expires_at = serializers.DateTimeField(help_text="The file is deleted then.")
    file_url = serializers.SerializerMethodField(
        help_text="Valid until `expires_at`, for callers who may see it; null without a file."
    )

    class Meta:
        model = Export
        fields = (
            "id", "content", "format", "to", "state", "rows_done", "rows_total", "size_bytes", "problem",
            "created_at", "expires_at", "file_url",
        )  # fmt: skip

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "from": serializers.DateField(source="first")}

    def get_file_url(self, export: Export) -> str | None:
        if export.state != ExportState.DONE:
            return None
        address = reverse("api:slas:export_file", args=[export.pk])
        url: str = self.context["request"].build_absolute_uri(address)
        return f"{url}?{urlencode(requests.link_of(export))}"


class ExportPage(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True, help_text="The page after this one; null on the last.")
    previous = serializers.URLField(allow_null=True)
    results = ExportAnswer(many=True)


class ExportListView(APIView):
    """Files of the actor's own organisation: list and request."""

    @extend_schema(
        operation_id="exports_list",
        summary="List exports",
        description="Newest first, including expired ones.",
        parameters=[
            OpenApiParameter("cursor", str, description="From `next` or `previous`."),
            OpenApiParameter("page_size", int, description="50 by default, 500 at most."),
        ],
        responses=ExportPage,
        tags=["exports"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, "cursor", "page_size")
        pages = CursorPagination()
        page = pages.paginate_queryset(requests.exports_of(actor_of(request)), request, view=self)
        return pages.get_paginated_response(ExportAnswer(page, many=True, context={"request": request}).data)

    @extend_schema(
        operation_id="exports_create",
        summary="Create an export",
        description="Your own commitments or on-time statistics due in a period, written in the "
        f"background and kept for {requests.KEPT.days} days. 409 `exports_running` while "
        f"{requests.MOST_RUNNING} files of your organisation are being written. Read the export until "
        "`state` is `done`, then download the file from `file_url`.",
        parameters=[IDEMPOTENCY_KEY],
        request=ExportBody,
        responses={201: ExportAnswer},
        examples=examples.EXPORT,
        tags=["exports"],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        requests.require_export(actor)

        def work() -> tuple[int, dict[str, Any]]:
            body = ExportBody(data=request.data)
            body.is_valid(raise_exception=True)
            data = body.validated_data
            export_request = requests.ExportRequest(data["content"], data["format"], data["from"], data["to"])
            export = requests.request_export(actor=actor, request=export_request, now=timezone.now())
            return 201, dict(ExportAnswer(export, context={"request": request}).data)

        response = idempotent(request, "exports_create", work)
        response["Location"] = reverse("api:slas:export_detail", args=[response.data["id"]])
        return response


class ExportDetailView(APIView):
    """One file."""

    @extend_schema(
        operation_id="exports_retrieve",
        summary="Read an export",
        description="Its progress, and the download link once the file is ready.",
        responses=ExportAnswer,
        tags=["exports"],
    )
    def get(self, request: Request, export_id: int) -> Response:
        refuse_unknown_parameters(request)
        export = requests.export_for(actor=actor_of(request), export_id=export_id)
        return Response(ExportAnswer(export, context={"request": request}).data)


_FILE_TYPES = tuple(media.partition(";")[0] for media in MEDIA_TYPES.values())


class AnyMediaType(BaseContentNegotiation):
    """The file is what it is, whatever `Accept` says; refusals are problem documents."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ExportFileView(APIView):
    """A file's content."""

    content_negotiation_class = AnyMediaType

    @extend_schema(
        operation_id="exports_file",
        summary="Download an export",
        description="Use the link in `file_url`, which contains `expires` and `signature`. 404 "
        "`export_expired` after its time, 409 `export_not_ready` before it is written.",
        parameters=[
            OpenApiParameter("expires", str, description="From `file_url`."),
            OpenApiParameter("signature", str, description="From `file_url`."),
        ],
        responses={(200, media): OpenApiTypes.BINARY for media in _FILE_TYPES},
        tags=["exports"],
    )
    def get(self, request: Request, export_id: int) -> FileResponse:
        params = request.query_params
        refuse_unknown_parameters(request, "expires", "signature")
        export = requests.take_export(
            actor=actor_of(request),
            export_id=export_id,
            expires=params.get("expires", ""),
            signature=params.get("signature", ""),
            now=timezone.now(),
        )
        return file_response(export)
