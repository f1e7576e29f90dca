"""Public tracking for pages of others: a shop's page asks for it from the reader's browser (CORS).

Only what anybody with the number may read, without credentials; every other address stays closed to scripts
of other origins.
"""

from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase

_PUBLIC: Final = "/api/v1/tracking/"
_EXPOSED: Final = "ETag, RateLimit, RateLimit-Policy, Retry-After"
# Accept and Accept-Language need no leave.
_ALLOWED: Final = "If-None-Match"
_DAY: Final = 86_400


def preflight(request: HttpRequest) -> HttpResponse | None:
    """Answer a browser that asks whether a script may ask."""
    if request.method != "OPTIONS" or not request.path_info.startswith(_PUBLIC):
        return None
    if "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in request.META:
        return None
    answer = HttpResponse(status=204)
    answer.headers["Access-Control-Allow-Methods"] = "GET, HEAD"
    answer.headers["Access-Control-Allow-Headers"] = _ALLOWED
    answer.headers["Access-Control-Max-Age"] = str(_DAY)
    return answer


def open_to_scripts(request: HttpRequest, response: HttpResponseBase) -> None:
    if request.path_info.startswith(_PUBLIC):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
