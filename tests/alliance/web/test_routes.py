"""Routes are found by the first word of an address, as Django would find them."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpResponse
from django.urls import get_resolver, include, path, re_path
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RegexPattern, URLResolver

from alliance.web.routes import RoutesByWord, StaticRoutes, by_word


def view(*_arguments: object, **_named: object) -> HttpResponse:
    return HttpResponse()


ROUTES = [
    path("", view, name="root"),
    path("parcels", view, name="list"),
    path("parcels/batch", view, name="batch"),
    path("parcels/<str:number>", view, name="detail"),
    path("<int:year>/report", view, name="report"),
    path("parcels/<str:number>/cancel", view, name="cancel"),
    re_path(r"^(?P<word>[a-z]+)\.txt$", view, name="text"),
    path("half", include([path("way/", view, name="halfway")])),
    path("nested/", include([path("<int:pk>/", view, name="nested")])),
]
PLAIN = URLResolver(RegexPattern(r"^/"), [path("v1/", include(ROUTES))])
QUICK = URLResolver(RegexPattern(r"^/"), [by_word("v1/", include(ROUTES))])


@pytest.mark.parametrize(
    "address",
    ["", "parcels", "parcels/batch", "parcels/CA1", "parcels/CA1/cancel", "2026/report", "robots.txt"]
    + ["halfway/", "nested/7/", "parcels/", "nested/", "nowhere", "parcels/a/b", "2026", "parcelsx"],
)
def test_route_is_the_one_that_django_finds(address: str) -> None:
    try:
        expected = PLAIN.resolve(f"/v1/{address}")
    except Resolver404:
        with pytest.raises(Resolver404):
            QUICK.resolve(f"/v1/{address}")
        return
    found = QUICK.resolve(f"/v1/{address}")
    assert (found.url_name, found.route, found.kwargs) == (expected.url_name, expected.route, expected.kwargs)


def test_other_prefixes_are_left_to_others() -> None:
    with pytest.raises(Resolver404):
        QUICK.resolve("/v2/parcels")


def test_products_own_routes_are_found_by_word() -> None:
    assert sum(isinstance(entry, RoutesByWord) for entry in get_resolver().url_patterns) >= 4
    found = get_resolver().resolve("/parcels/CA17ZYVECCRZR557/cancel/")
    assert (found.view_name, found.kwargs) == ("parcels:parcel_cancel", {"number": "CA17ZYVECCRZR557"})


def test_only_addresses_that_are_a_route_are_remembered() -> None:
    routes = StaticRoutes()
    first = routes.resolve("/api/v1/tiers")
    assert routes.resolve("/api/v1/tiers") is first
    number = "/api/v1/tracking/CA180HFPF3JNCPRS"
    one, other = routes.resolve(number), routes.resolve(number)
    assert one is not other
    assert one.kwargs == other.kwargs == {"tracking_number": "CA180HFPF3JNCPRS"}
    for _turn in range(2):
        with pytest.raises(Resolver404):
            routes.resolve("/api/v1/nowhere")


def test_routes_are_looked_up_anew_when_there_are_others(settings: LazySettings) -> None:
    routes = StaticRoutes()
    assert routes.resolve("/healthz").view_name == "healthz"
    settings.ROOT_URLCONF = "alliance.portal.urls"
    with pytest.raises(Resolver404):
        routes.resolve("/healthz")


LAST_WORDS = [
    path("parcels/batch", view, name="batch"),
    path("parcels/<str:number>", view, name="detail"),
    path("tracking/<str:number>", view, name="tracking"),
    path("tracking/<str:number>/days", view, name="days"),
    path("labels/<str:number>", view, {"size": "A6"}, name="label"),
]


@pytest.mark.parametrize("more", [[], [path("<slug:word>/about", view)], [re_path(r"^t(?P<rest>.*)$", view)]])
def test_an_address_that_differs_in_its_last_word_leads_where_django_finds(
    more: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = URLResolver(RegexPattern(r"^/"), [path("v1/", include([*more, *LAST_WORDS]))])
    monkeypatch.setattr("alliance.web.routes.get_resolver", lambda: plain)
    routes = StaticRoutes()
    for address in ("parcels/1", "parcels/batch", "tracking/1", "tracking/2", "tracking/about", "labels/1",
                    "labels/2", "tracking/2/days", "tracking/", "tracking/a/b", "x/about"):  # fmt: skip
        try:
            expected = plain.resolve(f"/v1/{address}")
        except Resolver404:
            with pytest.raises(Resolver404):
                routes.resolve(f"/v1/{address}")
            continue
        found = routes.resolve(f"/v1/{address}")
        assert (found.view_name, found.route, found.kwargs) == (
            expected.view_name,
            expected.route,
            expected.kwargs,
        )


def test_tracking_is_remembered_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = StaticRoutes()
    first = routes.resolve("/api/v1/tracking/CA180HFPF3JNCPRS")
    monkeypatch.setattr(URLResolver, "resolve", None)
    found = routes.resolve("/api/v1/tracking/CA17ZYVECCRZR557")
    assert found.kwargs == found.captured_kwargs == {"tracking_number": "CA17ZYVECCRZR557"}
    for name in ("func", "view_name", "route", "app_names", "namespaces"):
        assert getattr(found, name) == getattr(first, name)
