"""API of slas."""

from django.urls import URLPattern, URLResolver, path

from slas.api import views

app_name = "slas"

urlpatterns: list[URLPattern | URLResolver] = [
    path("rates", views.RatesView.as_view(), name="rates"),
    path("breaches", views.BreachesView.as_view(), name="breaches"),
]
