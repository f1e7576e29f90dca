"""The floor of a call: an empty view of Django alone, without middleware, on the product's web server.

A program of its own in one file, with its own settings, which imports nothing of the product's.
"""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not used",
)


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}", content_type="application/json")


urlpatterns = [path("healthz", empty)]
application = get_wsgi_application()
