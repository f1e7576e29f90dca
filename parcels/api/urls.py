"""API of parcels."""

from django.urls import URLPattern, URLResolver

app_name = "parcels"

urlpatterns: list[URLPattern | URLResolver] = []
