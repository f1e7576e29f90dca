"""Headers that keep private pages out of caches, and switch off what no page needs of a browser."""

from collections.abc import Callable, Mapping
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
        "microphone", "midi", "payment", "serial", "usb",
    )
)  # fmt: skip

# Of answers of the API and public pages: kept by the client only, and asked for again.
TO_BE_ASKED_AGAIN: Final = "private, no-cache"


def add_missing(response: HttpResponseBase, headers: Mapping[str, str]) -> None:
    """Add headers of plain ASCII that the view has not set.

    Django's own way looks at the encoding of each name and value: eight headers take as long as a light view.
    """
    stored = response.headers._store  # noqa: SLF001
    for name, value in headers.items():
        stored.setdefault(name.lower(), (name, value))


class PrivacyHeadersMiddleware:
    """Add Permissions-Policy, and Cache-Control to responses whose view said nothing.

    Pages of a session are not stored at all: on a shared computer, Back would show them after the log-out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        cache_control = _cache_control(request)
        add_missing(response, {"Permissions-Policy": PERMISSIONS_POLICY, "Cache-Control": cache_control})
        return response


def _cache_control(request: HttpRequest) -> str:
    is_personal = settings.SESSION_COOKIE_NAME in request.COOKIES or request.path.startswith("/accounts/")
    if is_personal and not request.path.startswith("/api/"):
        return "private, no-store"
    return TO_BE_ASKED_AGAIN
