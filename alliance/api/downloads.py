"""The files of requests to try, for whoever reads the documentation."""

import json
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from alliance.api.collections import http_file, postman_collection
from alliance.api.schema import KeptSchema

# Seconds: they change with a release only.
_CACHED: Final = 3600


@lru_cache(maxsize=8)
def file_of(form: str, _language: str | None) -> bytes:
    """Return a file in the active language: "http" or "postman"."""
    schema: Any = KeptSchema().get_schema(None, public=True)
    server = settings.PUBLIC_URL.rstrip("/")
    if form == "http":
        return http_file(schema, server=server).encode()
    return json.dumps(postman_collection(schema, server=server), ensure_ascii=False, indent=2).encode()


@require_safe
@cache_control(public=True, max_age=_CACHED)
def requests_file(request: HttpRequest) -> HttpResponse:
    """Serve the `.http` file."""
    return _attached("http", "courier-alliance.http", "text/plain; charset=utf-8")


@require_safe
@cache_control(public=True, max_age=_CACHED)
def postman_file(request: HttpRequest) -> HttpResponse:
    """Serve the Postman collection."""
    return _attached("postman", "courier-alliance.postman_collection.json", "application/json")


def _attached(form: str, name: str, content_type: str) -> HttpResponse:
    response = HttpResponse(file_of(form, get_language()), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
