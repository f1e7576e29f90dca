"""What is for those who run the product: metrics, and the details of its readiness."""

import hmac
from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase


def is_operator(request: HttpRequest) -> bool:
    """Tell whether a request comes from this machine itself, or has METRICS_TOKEN as its bearer token.

    A proxy on this machine connects from it as well, but says for whom.
    """
    _scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode()):
        return True
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ip_address(str(request.META.get("REMOTE_ADDR", ""))).is_loopback
    except ValueError:
        return False


def operators_only(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refuse a view to everybody else."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        if is_operator(request):
            return view(request)
        text = "For this machine, or with METRICS_TOKEN as the bearer token.\n"
        return HttpResponse(text, status=403, content_type="text/plain")

    return guarded
