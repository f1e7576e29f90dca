"""API of parcels."""

from django.urls import URLPattern, URLResolver, path

from parcels.api import views
from parcels.api.revisions import RevisionsView
from parcels.api.scans import ScanBatchView
from parcels.api.tracking import TrackingView

app_name = "parcels"

urlpatterns: list[URLPattern | URLResolver] = [
    path("quotes", views.QuoteView.as_view(), name="quote_create"),
    path("parcels", views.ParcelListView.as_view(), name="parcel_list"),
    path("parcels/batch", views.ParcelBatchView.as_view(), name="parcel_batch"),
    path("parcels/<str:number>", views.ParcelDetailView.as_view(), name="parcel_detail"),
    path("parcels/<str:number>/cancel", views.ParcelCancelView.as_view(), name="parcel_cancel"),
    path("parcels/<str:number>/revisions", RevisionsView.as_view(), name="parcel_revisions"),
    path("cities", views.CityListView.as_view(), name="city_list"),
    path("scans", ScanBatchView.as_view(), name="scan_batch"),
    path("tracking/<str:number>", TrackingView.as_view(), name="tracking"),
]
