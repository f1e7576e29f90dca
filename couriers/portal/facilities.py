"""The page of shared facilities."""

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.errors import NotPermitted
from alliance.tenancy import require
from alliance.web.requests import ActorRequest
from couriers.models import Facility
from couriers.portal.application_forms import FacilityFilterForm

SHOWN = 200


@require_safe
@login_required
def facility_list(request: ActorRequest) -> HttpResponse:
    """List the alliance's facilities by city; ops edit them in the admin."""
    actor = request.actor
    require(actor, Capability.VIEW_OFFERS)
    if not (actor.is_courier or actor.is_ops):
        raise NotPermitted
    form = FacilityFilterForm(request.GET)
    queryset = form.among(Facility.objects.visible_to(actor)).select_related("city")
    filters = form.filters
    if query := filters.get("q"):
        queryset = queryset.filter(
            Q(name__icontains=query) | Q(city__name_en__icontains=query) | Q(city__name_zh__icontains=query)
        )
    if kind := filters.get("kind"):
        queryset = queryset.filter(kind=kind)
    facilities = list(queryset[: SHOWN + 1])
    context = {
        "facilities": facilities[:SHOWN],
        "shown": SHOWN if len(facilities) > SHOWN else None,
        "form": form,
        "asked": filters,
    }
    return render(request, "couriers/facilities.html", context, status=form.status)
