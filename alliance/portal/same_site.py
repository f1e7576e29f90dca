"""Forms without a CSRF token, for choices that are no secret and can be taken back: a language, colours.

A token needs a cookie, and most readers of public pages have none: these two forms gave everybody one.
"""

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from alliance.portal.errors import csrf_failure


def from_own_pages(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Take a form as long as the browser does not say that another site sent it."""

    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponseBase:
        return view(request) if _is_from_here(request) else csrf_failure(request)

    return checked


def _is_from_here(request: HttpRequest) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    # Browsers say nothing of the site over plain HTTP. The scheme is not compared: a proxy may change it.
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.get_host()
