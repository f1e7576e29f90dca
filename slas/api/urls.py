"""API of slas."""

from django.urls import URLPattern, URLResolver

app_name = "slas"

urlpatterns: list[URLPattern | URLResolver] = []
