"""Idempotency-Key: a POST sent twice creates once, and both get the same response."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from django.core.files.uploadedfile import UploadedFile
from django.db import connection
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.sql import CLAIM_KEY, KEEP_ANSWER
from alliance.database.postgresql.messages import Unanswered
from alliance.database.slices import delete_in_slices
from alliance.errors import Conflict, FieldError, InvalidInput, Unavailable
from alliance.models import IdempotentRequest
from alliance.tenancy import raw_rows

KEPT = timedelta(hours=24)


def idempotent(
    request: Request,
    route: str,
    work: Callable[[], tuple[int, Any]],
    *,
    is_there: Callable[[Any], bool] = lambda body: True,
) -> Response:
    """Run `work` (returning status and body) once for the request's Idempotency-Key.

    The response is stored in the transaction of the work. On a cluster it may be seen before what a worker
    wrote that was killed meanwhile: `is_there` tells of a stored body whether that can be seen as well.
    Raises Conflict while another request with the key runs, InvalidInput when the key was used with another
    body, Unavailable while not all is there.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        status, body = work()
        return Response(body, status=status)
    if len(key) > 255:
        raise InvalidInput(
            errors=[FieldError("", _("Idempotency-Key is longer than 255 characters."), "max_length")]
        )
    tenant_id = actor_of(request).tenant_id
    body_hash = _body_hash(request)
    call: dict[str, Any] = {"organisation_id": tenant_id, "route": route, "key": key}
    if (previous := _claim(call)) is not None:
        return _replay(previous, body_hash, is_there)
    status, body = work()
    answer = json.dumps(body, default=str, ensure_ascii=False)
    with connection.cursor() as cursor:
        cursor.execute(
            Unanswered(KEEP_ANSWER),
            {**call, "body_hash": body_hash, "status": status, "answer": answer, "now": timezone.now()},
        )
    return Response(body, status=status)


def forget_old(*, now: datetime) -> int:
    """Delete responses older than KEPT; return how many."""
    return delete_in_slices(IdempotentRequest.objects.filter(created_at__lt=now - KEPT), order="created_at")


def _body_hash(request: Request) -> str:
    if (request.content_type or "").partition(";")[0].strip().lower() != "multipart/form-data":
        return hashlib.sha256(_canonical(request)).hexdigest()
    # Hash the parts of multipart bodies: clients use a new boundary for each try.
    digest = hashlib.sha256()
    form = cast("QueryDict", request.data)
    for name, values in sorted(form.lists()):
        for value in values:
            if isinstance(value, UploadedFile):
                digest.update(json.dumps([name, value.name, value.size]).encode())
                for chunk in value.chunks():
                    digest.update(chunk)
                value.seek(0)
            else:
                digest.update(json.dumps([name, value]).encode())
    return digest.hexdigest()


def _canonical(request: Request) -> bytes:
    """The body, the same for every order of its keys."""
    try:
        return json.dumps(request.data, sort_keys=True, separators=(",", ":")).encode()
    except (TypeError, RecursionError):
        # No JSON, or nested as deeply as a parser goes.
        return bytes(request._request.body)  # noqa: SLF001


class _Kept(NamedTuple):
    """The stored response of an earlier request with the key."""

    body_hash: str
    status: int
    answer: str


def _claim(call: dict[str, Any]) -> _Kept | None:
    """Hold the key until the transaction ends; return the response of an earlier request, if there is one."""
    name = f"{call['organisation_id']}:{call['route']}:{call['key']}"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    since = timezone.now() - KEPT
    [(is_ours, *kept)] = raw_rows(CLAIM_KEY.call, {**call, "number": number, "since": since})
    if not is_ours:
        raise Conflict(
            _("A request with this Idempotency-Key is still running. Try again in a moment."),
            code="idempotency_key_in_use",
            retry_after=1,
        )
    return None if kept[0] is None else _Kept(*kept)


def _replay(previous: _Kept, body_hash: str, is_there: Callable[[Any], bool]) -> Response:
    if previous.body_hash != body_hash:
        raise InvalidInput(
            _("This Idempotency-Key was used with a different body. Use a new key for a new request."),
            code="idempotency_key_reused",
        )
    body = json.loads(previous.answer)
    if not is_there(body):
        raise Unavailable(_("The service was interrupted. Try again shortly."))
    response = Response(body, status=previous.status)
    response["Idempotent-Replayed"] = "true"
    return response
