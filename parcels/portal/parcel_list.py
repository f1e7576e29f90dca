"""The list of parcels with filters, search and pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.identifiers import moment_of, tracking_number
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.choices import ParcelStatus
from parcels.lists.filters import LOOKED_AT, ParcelFilter
from parcels.lists.pages import Page, page_of, read_place
from parcels.models import Parcel
from parcels.portal.links import link_to
from parcels.tracking.advice import title_of
from parcels.tracking.queries import states_of
from parcels.tracking.state import ParcelState

PAGE_SIZE = 50
CURSORS = ("before", "after", "oldest")


@dataclass(frozen=True, slots=True)
class Row:
    """A parcel with its state."""

    parcel: Parcel
    state: ParcelState

    @property
    def title(self) -> str:
        return title_of(self.state)


@require_safe
@login_required
def parcel_list(request: ActorRequest) -> HttpResponse:
    """List the organisation's parcels, newest first."""
    actor = request.actor
    require(actor, Capability.VIEW_PARCELS)
    parcels = Parcel.objects.visible_to(actor)
    filters = ParcelFilter(request.GET, queryset=parcels, all_organisations=actor.is_ops)
    # An invalid filter would filter nothing: showing all parcels would be wrong.
    page = _page(filters, request.GET) if filters.form.is_valid() else Page([])
    context = {
        "filter": filters,
        "form": filters.form,
        "more_count": sum(bool(filters.data.get(name)) for name in MORE_FILTERS),
        "statuses": ParcelStatus.choices,
        "chosen_statuses": [name for name in request.GET.getlist("status") if name in ParcelStatus.values],
        "rows": _rows(actor, page.parcels),
        "next_url": _page_url(request.GET, before=page.before),
        "previous_url": _page_url(request.GET, after=page.after),
        "broken_off": page.broken_off and moment_of(page.broken_off),
        "looked_at": LOOKED_AT,
        "ends": _ends(request.GET, page),
        "newest_url": _list_url(request.GET) if page.is_past_end else "",
        "export_url": _export_url(actor, request.GET),
        "nothing": _empty_state(actor),
    }
    status = 200 if filters.form.is_valid() else 422
    return render(request, "parcels/parcel_list.html", context, status=status)


# The filters behind "More filters", which shows how many of them are set.
MORE_FILTERS = ("tier", "origin", "destination", "booked_from", "booked_to")


def _rows(actor: Actor, parcels: Sequence[Parcel]) -> list[Row]:
    states = states_of(actor=actor, parcels=parcels, now=timezone.now(), with_arrivals=False)
    return [Row(parcel, states[parcel.pk]) for parcel in parcels]


def _page(filters: ParcelFilter, query: QueryDict) -> Page:
    return page_of(
        filters,
        before=read_place(query.get("before", "")),
        after=read_place(query.get("after", "")),
        oldest=bool(query.get("oldest")),
        size=PAGE_SIZE,
    )


def _page_url(query: QueryDict, **places: int | None) -> str:
    cursors = {side: tracking_number(place) for side, place in places.items() if place is not None}
    return _list_url(query, **cursors) if cursors else ""


def _ends(query: QueryDict, page: Page) -> dict[str, str]:
    """URLs of both ends of the list, if it has more than one page."""
    return {
        "newest": _list_url(query) if page.after is not None else "",
        "oldest": _list_url(query, oldest="1") if page.before is not None else "",
    }


def _list_url(query: QueryDict, **cursors: str) -> str:
    return f"{reverse('parcels:parcel_list')}?{_without_cursors(query, **cursors)}".rstrip("?")


def _export_url(actor: Actor, query: QueryDict) -> str:
    if not actor.can(Capability.EXPORT):
        return ""
    return f"{reverse('parcels:parcel_export')}?{_without_cursors(query)}".rstrip("?")


def _without_cursors(query: QueryDict, **cursor: str) -> str:
    """The query without empty fields, and with another cursor."""
    params = QueryDict(mutable=True)
    for name, values in query.lists():
        if name not in CURSORS and any(values):
            params.setlist(name, values)
    for side, number in cursor.items():
        params[side] = number
    return params.urlencode()


def _empty_state(actor: Actor) -> dict[str, Any]:
    """The text and link for an organisation without parcels."""
    if actor.is_courier:
        return {
            "text": _("Merchants book your offers. Their parcels appear here at once."),
            "url": link_to("slas:offer_list") if actor.can(Capability.VIEW_OFFERS) else "",
            "label": _("View your offers"),
        }
    return {
        "text": _(
            "Get a quote, choose a courier and book: the parcel appears here with its tracking number."
        ),
        "url": link_to("parcels:quote_create") if actor.can(Capability.BOOK_PARCELS) else "",
        "label": _("Quote and book"),
    }
