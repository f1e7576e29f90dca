"""Headers that keep private pages out of caches, and switch off what no page needs of a browser."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
        "microphone", "midi", "payment", "serial", "usb",
    )
)  # fmt: skip


class PrivacyHeadersMiddleware:
    """Add Permissions-Policy, and Cache-Control to responses whose view said nothing.

    Pages of a session are not stored at all: on a shared computer, Back would show them after the log-out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cache-Control", _cache_control(request))
        return response


def _cache_control(request: HttpRequest) -> str:
    is_personal = settings.SESSION_COOKIE_NAME in request.COOKIES or request.path.startswith("/accounts/")
    if is_personal and not request.path.startswith("/api/"):
        return "private, no-store"
    # Answers of the API and public pages: kept by the client only, and asked for again.
    return "private, no-cache"
