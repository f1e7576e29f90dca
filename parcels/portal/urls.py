"""Pages of parcels."""

from django.urls import URLPattern, URLResolver, path

from parcels.portal import exports, parcel_detail, parcel_list, tracking

app_name = "parcels"

urlpatterns: list[URLPattern | URLResolver] = [
    path("parcels/", parcel_list.parcel_list, name="parcel_list"),
    path("parcels/export/", exports.parcel_export, name="parcel_export"),
    path("track/", tracking.track_search, name="track_search"),
    path("track/<str:number>/", tracking.track, name="track"),
    # After every other page under /parcels/: any word could be a number.
    path("parcels/<str:number>/", parcel_detail.parcel_detail, name="parcel_detail"),
    path("parcels/<str:number>/recipient/", parcel_detail.parcel_unmask, name="parcel_unmask"),
]
