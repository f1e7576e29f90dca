"""API of a month's freight lines, and of its files."""

from typing import Any, Final

from django.http import FileResponse, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from alliance.api.authentication import actor_of
from alliance.api.pagination import CursorPagination, seal_of, wrong_cursor
from alliance.api.views import ApiView
from alliance.public_ids import IdKind, public_id
from alliance.web.answers import begun
from alliance.workbooks.writing import CONTENT_TYPE
from parcels.api import freight_schema as schema
from parcels.api.freight import account_asked
from parcels.api.freight_schema import CURSOR, MONTH, OF_WHOM, PAGE_SIZE, TAG
from parcels.api.labels import FileNegotiation
from parcels.api.sheets import SheetNegotiation
from parcels.choices import FreightKind
from parcels.freight.files import as_csv, as_pdf, as_workbook, file_headers
from parcels.freight.lines import EVERY_KIND, FreightLine, Place, lines_of, read_place
from parcels.freight.queries import month_for
from slas.promises.prices import CURRENCY

_OF_FILES: Final = (
    "All lines of the month: fees, cancellations, surcharges and credits. Headers are in the language of "
    "`Accept-Language`. 410 `retired` once the parcels of the month were archived."
)


class FreightLinesView(ApiView):
    """What a month is made of."""

    @extend_schema(
        operation_id="freight_statements_lines",
        summary="Lines of a freight statement",
        description="Fees, then cancellations, surcharges and credits, each in the order of time. Those of a "
        "final month add up to its `amount_due`; an open one has what came since `counted_at`, too. "
        "410 `retired` once the parcels of the month were archived.",
        parameters=[OF_WHOM, MONTH, schema.FreightLinesQuery, CURSOR, PAGE_SIZE],
        responses=schema.FreightLinesAnswer,
        tags=[TAG],
    )
    def get(self, request: Request, month: str) -> Response:
        account = account_asked(request, "entry", "cursor", "page_size")
        query = schema.FreightLinesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        shown = month_for(account, month, now=timezone.now())
        kind = query.validated_data.get("entry")
        kinds = [FreightKind(kind)] if kind else EVERY_KIND
        size = CursorPagination().get_page_size(request)
        lines, following = lines_of(account, shown.month, _place(request), limit=size, kinds=kinds)
        return Response({"next": _next(request, following), "results": [_line_json(line) for line in lines]})


class FreightCsvView(ApiView):
    """All lines, as text."""

    content_negotiation_class = SheetNegotiation

    @extend_schema(
        operation_id="freight_statements_csv",
        summary="A freight statement as CSV",
        description=_OF_FILES,
        parameters=[OF_WHOM, MONTH],
        responses={(200, "text/csv"): OpenApiTypes.BINARY},
        tags=[TAG],
    )
    def get(self, request: Request, month: str) -> HttpResponseBase:
        account = account_asked(request)
        shown = month_for(account, month, now=timezone.now())
        return StreamingHttpResponse(
            begun(as_csv(actor_of(request), account, shown)),
            content_type="text/csv; charset=utf-8",
            headers=file_headers(account, shown, "csv"),
        )


class FreightXlsxView(ApiView):
    """All lines, as a workbook."""

    content_negotiation_class = SheetNegotiation

    @extend_schema(
        operation_id="freight_statements_xlsx",
        summary="A freight statement as XLSX",
        description=f"{_OF_FILES} 409 `too_long` if a sheet has no room for them.",
        parameters=[OF_WHOM, MONTH],
        responses={(200, CONTENT_TYPE): OpenApiTypes.BINARY},
        tags=[TAG],
    )
    def get(self, request: Request, month: str) -> HttpResponseBase:
        account = account_asked(request)
        shown = month_for(account, month, now=timezone.now())
        content = as_workbook(actor_of(request), account, shown)
        return FileResponse(content, content_type=CONTENT_TYPE, headers=file_headers(account, shown, "xlsx"))


class FreightPdfView(ApiView):
    """The sums, on paper."""

    content_negotiation_class = FileNegotiation

    @extend_schema(
        operation_id="freight_statements_pdf",
        summary="A freight statement as PDF",
        description="The sums, in all and by counterparty. Texts are in the language of `Accept-Language`.",
        parameters=[OF_WHOM, MONTH],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
        tags=[TAG],
    )
    def get(self, request: Request, month: str) -> HttpResponse:
        account = account_asked(request)
        shown = month_for(account, month, now=timezone.now())
        return HttpResponse(
            as_pdf(account, shown),
            content_type="application/pdf",
            headers=file_headers(account, shown, "pdf"),
        )


def _place(request: Request) -> Place:
    sealed = request.query_params.get("cursor", "")
    if not sealed:
        return Place()
    place = read_place(seal_of(request).open(sealed) or "")
    if place is None:
        raise wrong_cursor("cursor")
    return place


def _next(request: Request, place: Place | None) -> str | None:
    if place is None:
        return None
    sealed = seal_of(request).close(str(place))
    return replace_query_param(request.build_absolute_uri(), "cursor", sealed)


def _line_json(line: FreightLine) -> dict[str, Any]:
    return {
        "entry": line.kind.value,
        "written_at": timezone.localtime(line.at).isoformat(),
        "tracking_number": line.number or None,
        "reference": line.reference,
        "tier": line.service or None,
        "counterparty": line.counterparty.public_id,
        "amount": line.amount,
        "currency": CURRENCY,
        "surcharge_id": line.surcharge_id and public_id(IdKind.SURCHARGE, line.surcharge_id),
        "reason": line.note if line.kind == FreightKind.SURCHARGE else "",
        "cause": line.note if line.kind == FreightKind.CREDIT else None,
    }
