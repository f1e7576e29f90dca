"""The product's URLs, and those of the floors."""

from django.urls import path

from alliance.urls import handler400, handler403, handler404, handler500
from alliance.urls import urlpatterns as product
from benchmarks import floor_paths
from benchmarks.empty_views import AuthenticatedView, empty, one_row
from benchmarks.naive_bookings import NaiveBookingView
from benchmarks.naive_scans import NaiveScanView

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

_FLOORS = {
    floor_paths.OPEN: empty,
    floor_paths.ONE_ROW.format("<str:number>"): one_row,
    floor_paths.AUTHENTICATED: AuthenticatedView.as_view(),
    floor_paths.NAIVE_SCANS: NaiveScanView.as_view(),
    floor_paths.NAIVE_PARCELS: NaiveBookingView.as_view(),
}
# First: behind the product's, each call of a floor would try all of those.
urlpatterns = [*(path(address[1:], view) for address, view in _FLOORS.items()), *product]
