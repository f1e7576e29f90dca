"""API of scans. This view parses its body itself: serializers would take fifty times as long."""

import codecs
import zlib
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from alliance.api.authentication import plain_request
from alliance.api.views import ApiView, answer_plainly, is_plain_post
from alliance.choices import Capability
from alliance.errors import MalformedInput, TooLarge, UnsupportedType
from alliance.tenancy import require
from alliance.web.requests import ActorRequest
from parcels.api import examples, scan_schema
from parcels.scans.lines import read_json, read_ndjson
from parcels.scans.services import record_scans

MAX_BYTES: Final = 4 * 1024 * 1024
# Programs that send no content type get "": their bodies are JSON as well.
_JSON: Final = frozenset({"application/json", ""})
_NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_GZIP: Final = 16 + zlib.MAX_WBITS


class ScanBatchView(ApiView):
    """Receives batches of scans from couriers' programs."""

    @extend_schema(
        operation_id="scans_create",
        summary="Send scans",
        description=scan_schema.DESCRIPTION,
        request=scan_schema.REQUEST,
        responses={200: scan_schema.ScanReportSerializer},
        examples=examples.SCANS,
        tags=["scans"],
    )
    def post(self, request: Request) -> HttpResponse:
        # Django's request, because DRF's would parse the body.
        return _answer(plain_request(request))

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if is_plain_post(request):
            return answer_plainly(request, _answer)
        return super().dispatch(request, *args, **kwargs)


def _answer(request: ActorRequest) -> HttpResponse:
    # Check before reading the body: other actors get no feedback on their body.
    require(request.actor, Capability.SEND_SCANS)
    body = read_body(request)
    lines = read_ndjson(body) if request.content_type in _NDJSON else read_json(body)
    report = record_scans(actor=request.actor, lines=lines)
    answer = {
        "accepted": report.accepted,
        "duplicate": len(report.duplicates),
        "rejected": len(report.rejections),
        "rejections": report.rejections,
        "warnings": report.warnings,
    }
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json")


def read_body(request: HttpRequest) -> bytes:
    """Return the decompressed body. Raises TooLarge and MalformedInput."""
    if request.content_type not in _JSON and request.content_type not in _NDJSON:
        types = {"types": "application/json, application/x-ndjson"}
        raise UnsupportedType(_("Send the body as %(types)s.") % types)
    # Check before reading any of the body.
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        raise _too_large()
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise MalformedInput(_("Content-Encoding must be gzip or left out."), code="unknown_encoding")
    body = _decompress(request.body) if encoding == "gzip" else request.body
    return body.removeprefix(codecs.BOM_UTF8)


def _decompress(body: bytes) -> bytes:
    decompressor = zlib.decompressobj(_GZIP)
    try:
        content = decompressor.decompress(body, MAX_BYTES + 1)
    except zlib.error:
        raise MalformedInput(_("The body is not valid gzip.")) from None
    if len(content) > MAX_BYTES:
        raise _too_large()
    if not decompressor.eof:
        raise MalformedInput(_("The gzip data is incomplete."))
    return content


def _too_large() -> TooLarge:
    most = MAX_BYTES // 1024 // 1024
    return TooLarge(_("A batch can have at most %(most)d MB. Split it.") % {"most": most})
