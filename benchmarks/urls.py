"""The product's URLs, and those of the floors."""

from django.urls import path

from alliance.urls import handler400, handler403, handler404, handler500
from alliance.urls import urlpatterns as product
from benchmarks.empty_views import AuthenticatedView, empty, one_row
from benchmarks.naive_bookings import NaiveBookingView
from benchmarks.naive_scans import NaiveScanView

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    *product,
    path("api/v1/bench/open", empty),
    path("api/v1/bench/one-row/<str:number>", one_row),
    path("api/v1/bench/authenticated", AuthenticatedView.as_view()),
    path("api/v1/bench/scans", NaiveScanView.as_view()),
    path("api/v1/bench/parcels", NaiveBookingView.as_view()),
]
