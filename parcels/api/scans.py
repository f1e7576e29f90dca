"""API of scans. This view parses its body itself: serializers would take fifty times as long."""

import codecs
import zlib
from typing import Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from alliance.api.authentication import actor_of, plain_request
from alliance.choices import Capability
from alliance.errors import MalformedInput, TooLarge, UnsupportedType
from alliance.tenancy import require
from parcels.api import examples, scan_schema
from parcels.scans.lines import read_json, read_ndjson
from parcels.scans.services import record_scans

MAX_BYTES: Final = 4 * 1024 * 1024
# Programs that send no content type get "": their bodies are JSON as well.
_JSON: Final = frozenset({"application/json", ""})
_NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_GZIP: Final = 16 + zlib.MAX_WBITS


class ScanBatchView(APIView):
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
        actor = actor_of(request)
        # Check before reading the body: other actors get no feedback on their body.
        require(actor, Capability.SEND_SCANS)
        # Django's request, because DRF's would parse the body.
        django_request = plain_request(request)
        body = read_body(django_request)
        lines = read_ndjson(body) if django_request.content_type in _NDJSON else read_json(body)
        report = record_scans(actor=actor, lines=lines)
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
