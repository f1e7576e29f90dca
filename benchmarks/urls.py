"""The product's URLs, and those of the floors."""

from django.urls import include, path

from alliance.urls import handler400, handler403, handler404, handler500
from alliance.urls import urlpatterns as product
from benchmarks.empty_views import AuthenticatedView, empty, one_row
from benchmarks.naive_bookings import NaiveBookingView
from benchmarks.naive_scans import NaiveScanView

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

_FLOORS = [
    path("open", empty),
    path("one-row/<str:number>", one_row),
    path("authenticated", AuthenticatedView.as_view()),
    path("scans", NaiveScanView.as_view()),
    path("parcels", NaiveBookingView.as_view()),
]
# First: behind the product's, each call of a floor would try all of those.
urlpatterns = [path("api/v1/bench/", include(_FLOORS)), *product]
