"""The list of parcels: filtered, searched, walked page by page."""

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
from parcels.tracking.verdicts import Verdict, verdict_of
from slas.choices import CommitmentKind
from slas.models import Commitment

PAGE_SIZE = 50
CURSORS = ("before", "after", "oldest")


@dataclass(frozen=True, slots=True)
class Row:
    """A parcel, and how its promise of delivery stands."""

    parcel: Parcel
    verdict: Verdict | None


@require_safe
@login_required
def parcel_list(request: ActorRequest) -> HttpResponse:
    """List the organisation's parcels, newest first."""
    actor = request.actor
    require(actor, Capability.VIEW_PARCELS)
    mine = Parcel.objects.visible_to(actor)
    found = ParcelFilter(request.GET, queryset=mine, of_everybody=actor.is_ops)
    # A filter that cannot be read filters nothing out: showing everything would be a wrong answer.
    page = _page(found, request.GET) if found.form.is_valid() else Page([])
    context = {
        "filter": found,
        "form": found.form,
        "more_count": sum(bool(found.data.get(name)) for name in MORE_FILTERS),
        "statuses": ParcelStatus.choices,
        "chosen_statuses": [name for name in request.GET.getlist("status") if name in ParcelStatus.values],
        "rows": _rows(actor, page.parcels),
        "next_url": _page_url(request.GET, before=page.before),
        "previous_url": _page_url(request.GET, after=page.after),
        "broken_off": page.broken_off and moment_of(page.broken_off),
        "looked_at": LOOKED_AT,
        "ends": _ends(request.GET, page),
        "export_url": _export_url(actor, request.GET),
        "nothing": _nothing(actor),
    }
    status = 200 if found.form.is_valid() else 422
    return render(request, "parcels/parcel_list.html", context, status=status)


# Filters behind "More filters": how many are set is shown on it.
MORE_FILTERS = ("tier", "origin", "destination", "booked_from", "booked_to")


def _rows(actor: Actor, parcels: Sequence[Parcel]) -> list[Row]:
    commitments = Commitment.objects.visible_to(actor).filter(
        parcel_id__in=[parcel.pk for parcel in parcels], kind=CommitmentKind.DELIVERY
    )
    now = timezone.now()
    verdicts = {item.parcel_id: verdict_of(item, now=now) for item in commitments}
    return [Row(parcel, verdicts.get(parcel.pk)) for parcel in parcels]


def _page(found: ParcelFilter, query: QueryDict) -> Page:
    return page_of(
        found,
        before=read_place(query.get("before", "")),
        after=read_place(query.get("after", "")),
        oldest=bool(query.get("oldest")),
        size=PAGE_SIZE,
    )


def _page_url(query: QueryDict, **places: int | None) -> str:
    cursors = {side: tracking_number(place) for side, place in places.items() if place is not None}
    return _list_url(query, **cursors) if cursors else ""


def _ends(query: QueryDict, page: Page) -> dict[str, str]:
    """Addresses of both ends of the list, where there is more than a page of it."""
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
    """The query without the fields left empty, and from another place in the list."""
    asked = QueryDict(mutable=True)
    for name, values in query.lists():
        if name not in CURSORS and any(values):
            asked.setlist(name, values)
    for side, number in cursor.items():
        asked[side] = number
    return asked.urlencode()


def _nothing(actor: Actor) -> dict[str, Any]:
    """What to say, and to offer, to an organisation that has no parcels at all."""
    if actor.is_courier:
        return {
            "text": _("Merchants book you where you have offers. Their parcels appear here at once."),
            "url": link_to("slas:offer_list") if actor.can(Capability.VIEW_OFFERS) else "",
            "label": _("Look at your offers"),
        }
    return {
        "text": _("Ask for a quote, choose a courier and book: the parcel appears here with its number."),
        "url": link_to("parcels:quote_create") if actor.can(Capability.BOOK_PARCELS) else "",
        "label": _("Quote and book"),
    }
