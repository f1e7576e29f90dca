"""Empty and minimal views behind the product's middleware: the floor of a call."""

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from alliance.identifiers import parse_tracking_number
from alliance.tenancy import Scope, rows_in
from alliance.web.http import scoped_by_itself


@scoped_by_itself
def empty(request: HttpRequest) -> HttpResponse:
    """Respond to anonymous requests without a query."""
    return HttpResponse(b"{}", content_type="application/json")


@scoped_by_itself
def one_row(request: HttpRequest, number: str) -> HttpResponse:
    """Respond to anonymous requests with one column of one row, read by primary key in its scope."""
    pk = parse_tracking_number(number)
    [(status,)] = rows_in(Scope.parcel(pk), "SELECT status FROM parcels_parcel WHERE id = %s", [pk])
    return HttpResponse(f'{{"status": "{status}"}}', content_type="application/json")


class AuthenticatedView(APIView):
    """Requires an API key, and counts the call, like every view of the API."""

    def post(self, request: Request) -> HttpResponse:
        return HttpResponse(b"{}", content_type="application/json")
