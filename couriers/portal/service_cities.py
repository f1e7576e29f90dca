"""The picker of service cities: search, add, remove; by htmx, or by full pages without scripts."""

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from alliance.errors import Conflict, InvalidInput
from alliance.models import City
from alliance.web.requests import ActorRequest
from couriers.applications.querysets import cities_matching
from couriers.applications.services import applications
from couriers.choices import Step
from couriers.models import Application
from couriers.portal.application_pages import applicant, next_url, open_application, step_page

SHOWN = 24
# Enough for a province or a small country, but not for a search for "a", which matches half of the world.
MOST_AT_ONCE = 400
QUERY_LENGTH = 80


@require_safe
@login_required
@vary_on_headers("HX-Request")
def city_list(request: ActorRequest) -> HttpResponse:
    """Show the service cities and the search results."""
    try:
        application = open_application(applicant(request))
    except Conflict as error:
        messages.warning(request, error.detail)
        return _go(request, reverse("couriers:application_view"))
    if request.htmx:
        return _fragment(request, application, request.GET.get("q", ""))
    context = {**_picker(application, request.GET.get("q", "")), "next_url": next_url(Step.CITIES)}
    return step_page(request, application, Step.CITIES, context)


@require_POST
@login_required
def city_add(request: ActorRequest) -> HttpResponse:
    """Add one city, or all search results."""
    return _change(request, add=True)


@require_POST
@login_required
def city_remove(request: ActorRequest) -> HttpResponse:
    """Remove one city, or all."""
    return _change(request, add=False)


def _change(request: ActorRequest, *, add: bool) -> HttpResponse:
    actor, query = applicant(request), request.POST.get("q", "")
    problem = ""
    try:
        application = open_application(actor)
        ids = _city_ids(request, application, query, add=add)
        change = applications.add_service_cities if add else applications.remove_service_cities
        change(actor=actor, application_id=application.pk, city_ids=ids)
    except InvalidInput as error:
        problem = error.errors[0].message if error.errors else error.detail
    except Conflict as error:
        messages.warning(request, error.detail)
        return _go(request, reverse("couriers:application_view"))
    if request.htmx:
        return _fragment(request, application, query, problem)
    if problem:
        messages.error(request, problem)
    return redirect(f"{reverse('couriers:city_list')}?{urlencode({'q': query})}")


def _fragment(request: ActorRequest, application: Application, query: str, problem: str = "") -> HttpResponse:
    context = {**_picker(application, query), "problem": problem, "is_fragment": True}
    return render(request, "couriers/city_picker.html", context)


def _go(request: ActorRequest, url: str) -> HttpResponse:
    if not request.htmx:
        return redirect(url)
    # htmx would follow a redirect and swap the whole page into the fragment.
    return HttpResponse(headers={"HX-Redirect": url})


def _city_ids(request: ActorRequest, application: Application, query: str, *, add: bool) -> list[int]:
    if "all" not in request.POST:
        texts = request.POST.getlist("city")
        # More than nine digits are no valid id, and may overflow the database's integer.
        return [int(text) for text in texts if text.isdecimal() and len(text) < 10]
    if not add:
        return list(application.service_cities.values_list("city_id", flat=True))
    return list(_matches(query).values_list("pk", flat=True)[:MOST_AT_ONCE]) if query.strip() else []


def _matches(query: str) -> Any:
    return cities_matching(query[:QUERY_LENGTH].replace("\x00", ""))


def _picker(application: Application, query: str) -> dict[str, Any]:
    query = query.strip()[:QUERY_LENGTH]
    cities = list(application.cities.all())
    city_ids = {city.pk for city in cities}
    matches = _matches(query)
    candidates = matches.exclude(pk__in=city_ids)
    total = candidates.count() if query else 0
    return {
        "query": query,
        "results": list(candidates[:SHOWN]) if query else [],
        "total": total,
        "all_taken": bool(query) and total == 0 and matches.exists(),
        "may_add_all": 1 < total <= MOST_AT_ONCE,
        "groups": _by_province(cities),
        "served_count": len(cities),
        "problem": "",
    }


def _by_province(cities: list[City]) -> list[dict[str, Any]]:
    def order(city: City) -> tuple[bool, str, str, int]:
        return (city.country != "CN", city.country, city.province, -city.population)

    places = groupby(sorted(cities, key=order), key=lambda city: city.province or city.country)
    return [{"name": name or _("Elsewhere"), "cities": list(members)} for name, members in places]
