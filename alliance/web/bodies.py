"""Request bodies: limit their size, and read them completely before work begins."""

import io
import time
from contextlib import suppress

from django.conf import settings
from django.core.handlers.wsgi import LimitedStream
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from gunicorn.http.errors import ParseException

from alliance.errors import MalformedInput, NotAuthenticated, TooLarge, TooSlow

LINGER_SECONDS, LINGER_BYTES = 5.0, 64 * 1024 * 1024
_STEP = 64 * 1024


def take_in(request: HttpRequest) -> None:
    """Refuse a body whose announced length is too large; read the whole body of an API call.

    Forms are left to Django, which spools uploads to disk instead of memory. Raises TooLarge, MalformedInput
    for a truncated body and TooSlow for one that arrives too slowly.
    """
    is_program = request.path.startswith("/api/") and not is_form(request)
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE if is_program else settings.MAX_BODY_BYTES
    if is_form(request) and request.path in settings.LARGE_BODY_PATHS:
        most = settings.MAX_LARGE_BODY_BYTES
    is_chunked = "HTTP_TRANSFER_ENCODING" in request.META
    length = length_of(request)
    if length > most:
        _discard(request)
        raise _too_large(most)
    if is_program and (length or is_chunked):
        body = _read(request, most + 1 if is_chunked else length)
        if len(body) > most:
            _discard(request)
            raise _too_large(most)
        if not is_chunked and len(body) < length:
            raise MalformedInput(_("The body is shorter than its declared length."), code="cut_off")
        # Django treats a body without Content-Length as empty.
        request._stream = io.BytesIO(body)
        request.META["CONTENT_LENGTH"] = str(len(body))


def whole_body(request: HttpRequest, *, most: int) -> bytes:
    """Return the bytes of a body as they came, also of one in chunks, which Django takes for empty.

    For views that ask for no form. Raises TooLarge, and MalformedInput for one that is cut off.
    """
    is_chunked = "HTTP_TRANSFER_ENCODING" in request.META
    body = b"" if length_of(request) > most else _read(request, most + 1) if is_chunked else request.body
    if max(len(body), length_of(request)) > most:
        raise TooLarge(_("Send at most %(most)d kB at once.") % {"most": most // 1024})
    return body


class _Announced(LimitedStream):
    """A body of the announced length, which knows whether all of it was received."""

    @property
    def is_whole(self) -> bool:
        return bool(self._pos >= self.limit)  # type: ignore[attr-defined]


def take_in_large(request: HttpRequest, *, is_known: bool) -> None:
    """Spool a possibly large upload to disk before the view's transaction begins.

    Unauthenticated uploads are refused, so that they cannot fill the disk. Raises NotAuthenticated for these,
    MalformedInput for a form that cannot be parsed.
    """
    if length_of(request) > settings.MAX_BODY_BYTES and not is_known:
        _discard(request)
        raise NotAuthenticated
    if request.content_type != "multipart/form-data" or not is_known:
        return
    # If the client disconnects, Django would treat the beginning of a file as the whole file.
    body = _Announced(request.META["wsgi.input"], length_of(request))
    request._stream = body  # type: ignore[assignment]
    try:
        request.FILES  # noqa: B018 -- reading is the point
    except MultiPartParserError:
        message = _("The multipart form cannot be read. Give it a boundary, and the file a short name.")
        raise MalformedInput(message) from None
    except UnreadablePostError:
        pass
    else:
        if body.is_whole:
            return
    raise MalformedInput(_("The upload was cut off. Send it again."), code="cut_off")


def is_form(request: HttpRequest) -> bool:
    """Tell whether the body is a form, possibly with files."""
    return request.content_type in ("multipart/form-data", "application/x-www-form-urlencoded")


def length_of(request: HttpRequest) -> int:
    """Return the announced length of the body; 0 for one in chunks."""
    with suppress(ValueError):
        return max(int(request.META.get("CONTENT_LENGTH") or 0), 0)
    return 0


def _read(request: HttpRequest, most: int) -> bytes:
    try:
        return request.META["wsgi.input"].read(most)
    except ConnectionResetError:
        raise TooSlow(_("The body arrived too slowly. Send it again, or in smaller parts.")) from None
    except (OSError, ParseException):
        raise MalformedInput(_("The chunked body is invalid or cut off."), code="cut_off") from None


def _discard(request: HttpRequest) -> None:
    """Read and discard the rest for a moment: after a reset connection, clients would not read the error."""
    until, remaining = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
    source = request.META["wsgi.input"]
    with suppress(OSError, ParseException):
        while remaining > 0 and time.monotonic() < until and source.read(_STEP):
            remaining -= _STEP


def _too_large(most: int) -> TooLarge:
    return TooLarge(_("Send at most %(most)d MB at once.") % {"most": most // 1024 // 1024})
