"""Pages of couriers."""

from django.urls import URLPattern, URLResolver

app_name = "couriers"

urlpatterns: list[URLPattern | URLResolver] = []
