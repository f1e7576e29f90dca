"""API of slas."""

from django.urls import URLPattern, URLResolver, path

from slas.api import views
from slas.api.tiers import TierListView

app_name = "slas"

urlpatterns: list[URLPattern | URLResolver] = [
    path("tiers", TierListView.as_view(), name="tier_list"),
    path("rates", views.RatesView.as_view(), name="rates"),
    path("breaches", views.BreachesView.as_view(), name="breaches"),
]
