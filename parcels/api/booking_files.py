"""API of booking files: upload a CSV, read its progress, cancel it, download the results."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.http import FileResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.parsing import Body, refuse_body, refuse_unknown_parameters
from alliance.api.public_ids import PublicIdField
from alliance.csv_files.writing import stream
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.public_ids import IdKind
from alliance.tenancy import Actor
from alliance.workbooks.writing import CONTENT_TYPE, write_workbook
from parcels.api.parcels import IDEMPOTENCY_KEY
from parcels.api.sheets import SheetNegotiation
from parcels.booking_files.services.files import (
    FileKnown,
    cancel_booking_file,
    require_booker,
    start_booking_file,
)
from parcels.booking_files.services.results import (
    MOST_WORKBOOK_ROWS,
    rejected_path,
    result_rows,
    results_path,
)
from parcels.choices import BookingFileState
from parcels.models import BookingFile

JSON = dict[str, Any]
FILE_TYPES: Final = ("csv", "xlsx")
AS_TYPE: Final = OpenApiParameter("file_type", str, enum=FILE_TYPES, default="csv")


class BookingFileBody(Body):
    """A file of bookings; docs/booking-files.md names its columns."""

    file = serializers.FileField(
        allow_empty_file=True,
        help_text="CSV in UTF-8, GB18030 or UTF-16, at most 500 MB and 2,000,000 rows; XLSX, XLS or ODS.",
    )
    template = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=80,
        help_text="Name of a template of yours, by which a file with other columns is read.",
    )
    again = serializers.BooleanField(
        default=False,
        help_text="Book the same file again. Rows whose reference was booked in the last 30 days are "
        "skipped.",
    )


class BookingFileAnswer(serializers.Serializer[Any]):
    id = PublicIdField(IdKind.BOOKING_FILE)
    name = serializers.CharField()
    state = serializers.ChoiceField(
        choices=[choice for choice in BookingFileState.choices if choice[0] != BookingFileState.DRAFT]
    )
    uploaded_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    lines_total = serializers.IntegerField(
        source="lines", help_text="Lines of the file, including the header."
    )
    lines_done = serializers.IntegerField(source="line")
    rows_done = serializers.IntegerField(source="done")
    booked = serializers.IntegerField()
    duplicate = serializers.IntegerField(
        help_text="Not booked: a parcel with their reference already exists."
    )
    rejected = serializers.IntegerField(help_text="Not booked: the results give the reason.")
    rows_per_second = serializers.FloatField(source="rate", allow_null=True)
    remaining_seconds = serializers.IntegerField(source="seconds_left", allow_null=True)
    problem = serializers.CharField(
        help_text="Why the file failed; while it is not finished, why the last attempt failed or what it "
        "waits for."
    )
    results_url = serializers.SerializerMethodField(
        help_text="Address of the results; null until there are any."
    )

    def get_results_url(self, file: BookingFile) -> str | None:
        if not file.results_size or file.deleted_at:
            return None
        return reverse("api:parcels:booking_file_results", args=[file.pk])


class BookingFilesView(APIView):
    """Files of bookings."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="booking_files_create",
        summary="Book from a file",
        description="Answers 202 at once; the rows are booked in the background. 409 `file_known` if the "
        "same file was uploaded before, with the address of the first one in `errors`.",
        parameters=[IDEMPOTENCY_KEY],
        request={"multipart/form-data": BookingFileBody},
        responses={202: BookingFileAnswer},
        tags=["booking"],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require_booker(actor)
        response = idempotent(request, "booking_files_create", lambda: (202, _start(actor, request)))
        response["Location"] = reverse("api:parcels:booking_file", args=[response.data["id"]])
        return response


class BookingFileView(APIView):
    """The progress of a file."""

    @extend_schema(
        operation_id="booking_files_retrieve",
        summary="Read the progress of a booking file",
        responses=BookingFileAnswer,
        tags=["booking"],
    )
    def get(self, request: Request, file_id: int) -> Response:
        refuse_unknown_parameters(request)
        return Response(BookingFileAnswer(_file(actor_of(request), file_id)).data)


class BookingFileCancelView(APIView):
    """Cancel a file."""

    @extend_schema(
        operation_id="booking_files_cancel",
        summary="Stop a booking file",
        description="Parcels already booked stay booked. 409 `finished` if the file is finished.",
        request=None,
        responses=BookingFileAnswer,
        tags=["booking"],
    )
    def post(self, request: Request, file_id: int) -> Response:
        refuse_body(request.data)
        return Response(BookingFileAnswer(cancel_booking_file(actor=actor_of(request), file_id=file_id)).data)


class BookingFileResultsView(APIView):
    """The results of each row."""

    content_negotiation_class = SheetNegotiation

    @extend_schema(
        operation_id="booking_files_results",
        summary="Download a booking file's results",
        description="One line per processed row: tracking number and promise, or the reason why it was not "
        "booked.",
        parameters=[AS_TYPE],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, CONTENT_TYPE): OpenApiTypes.BINARY},
        tags=["booking"],
    )
    def get(self, request: Request, file_id: int) -> StreamingHttpResponse:
        file = _file(actor_of(request), file_id)
        return _rows(request, file, results_path(file), file.results_size)


class BookingFileRejectedView(APIView):
    """The rows to correct."""

    content_negotiation_class = SheetNegotiation

    @extend_schema(
        operation_id="booking_files_rejected",
        summary="Download a booking file's rejected rows",
        description="The rejected rows under our columns with the reason, which is ignored when the "
        "corrected file is uploaded.",
        parameters=[AS_TYPE],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, CONTENT_TYPE): OpenApiTypes.BINARY},
        tags=["booking"],
    )
    def get(self, request: Request, file_id: int) -> StreamingHttpResponse:
        file = _file(actor_of(request), file_id)
        return _rows(request, file, rejected_path(file), file.rejected_size)


def _rows(request: Request, file: BookingFile, path: Path, size: int) -> StreamingHttpResponse:
    """Send rows as CSV, or as a workbook with `file_type=xlsx`."""
    refuse_unknown_parameters(request, "file_type")
    file_type = request.query_params.get("file_type", "csv")
    if file_type not in FILE_TYPES:
        message = _("Enter one of: %(options)s.") % {"options": ", ".join(FILE_TYPES)}
        raise InvalidInput(errors=[FieldError("/file_type", message, "choice")])
    if not size or file.deleted_at or not path.exists():
        raise NotFound
    if file_type == "csv":
        content: Iterator[bytes] = stream(path, size)
        return StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    if file.done > MOST_WORKBOOK_ROWS:
        detail = _("A workbook has at most %(most)s rows. Download the CSV.")
        raise Conflict(detail % {"most": f"{MOST_WORKBOOK_ROWS:,}"}, code="too_many_rows")
    return FileResponse(write_workbook(result_rows(path, size)), content_type=CONTENT_TYPE)


def _start(actor: Actor, request: Request) -> JSON:
    body = BookingFileBody(data=request.data)
    body.is_valid(raise_exception=True)
    if len(request.FILES.getlist("file")) > 1:
        # Otherwise all but one would be ignored silently.
        raise InvalidInput(errors=[FieldError("/file", _("Send one file at a time."))])
    upload, again = body.validated_data["file"], body.validated_data["again"]
    try:
        template = body.validated_data["template"]
        file = start_booking_file(actor=actor, upload=upload, again=again, template=template)
    except FileKnown as refusal:
        file_url = reverse("api:parcels:booking_file", args=[refusal.file.pk])
        raise Conflict(
            refusal.detail, code=refusal.code, errors=[FieldError("/file", file_url, refusal.code)]
        ) from None
    return dict(BookingFileAnswer(file).data)


def _file(actor: Actor, file_id: int) -> BookingFile:
    require_booker(actor)
    files = BookingFile.objects.visible_to(actor).exclude(state=BookingFileState.DRAFT)
    file = files.filter(pk=file_id).first()
    if file is None:
        raise NotFound
    return file
