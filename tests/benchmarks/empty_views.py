"""Views that do nothing, behind the middleware of the product: the floor of a call."""

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from alliance.http import scoped_by_itself


@scoped_by_itself
def empty(request: HttpRequest) -> HttpResponse:
    """Answer anybody, without asking the database anything."""
    return HttpResponse(b"{}", content_type="application/json")


class AuthenticatedView(APIView):
    """Answers who has an API key, and counts the call, as every view of the API does."""

    def post(self, request: Request) -> HttpResponse:
        return HttpResponse(b"{}", content_type="application/json")
