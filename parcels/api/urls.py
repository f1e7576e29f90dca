"""API of parcels."""

from django.urls import URLPattern, URLResolver, path

from parcels.api.scans import ScanBatchView

app_name = "parcels"

urlpatterns: list[URLPattern | URLResolver] = [
    path("scans", ScanBatchView.as_view(), name="scan_batch"),
]
