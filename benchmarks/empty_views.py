"""Views that do nothing, or next to it, behind the middleware of the product: the floor of a call."""

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from alliance.identifiers import parse_tracking_number
from alliance.tenancy import Scope, rows_in
from alliance.web.http import scoped_by_itself


@scoped_by_itself
def empty(request: HttpRequest) -> HttpResponse:
    """Answer anybody, without asking the database anything."""
    return HttpResponse(b"{}", content_type="application/json")


@scoped_by_itself
def one_row(request: HttpRequest, number: str) -> HttpResponse:
    """Answer anybody with one column of one row, looked up by its key in its scope."""
    pk = parse_tracking_number(number)
    [(status,)] = rows_in(Scope.parcel(pk), "SELECT status FROM parcels_parcel WHERE id = %s", [pk])
    return HttpResponse(f'{{"status": "{status}"}}', content_type="application/json")


class AuthenticatedView(APIView):
    """Answers who has an API key, and counts the call, as every view of the API does."""

    def post(self, request: Request) -> HttpResponse:
        return HttpResponse(b"{}", content_type="application/json")
