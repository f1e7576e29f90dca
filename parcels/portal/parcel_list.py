"""The list of parcels with filters, search and pages."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.cursors import Order, number
from alliance.dates import date_text
from alliance.identifiers import moment_of, tracking_number
from alliance.portal.paging import Asked, Listing, Sort
from alliance.portal.view_lists import OwnViews
from alliance.tenancy import Actor, require
from alliance.web.addresses import address
from alliance.web.requests import ActorRequest
from alliance.web.stencils import filled
from parcels.choices import ParcelStatus
from parcels.labels.rules import MOST_LABELS
from parcels.lists.filters import LOOKED_AT, ParcelFilter
from parcels.lists.pages import Page, page_of, read_place
from parcels.models import Parcel
from parcels.portal.links import link_to
from parcels.returns.texts import way_of
from parcels.tracking.advice import title_of
from parcels.tracking.queries import states_of
from parcels.tracking.state import ParcelState
from slas.choices import Outcome

PAGE_SIZE = 50
# The parameter of the list's last page.
LAST = "last"
LIST = Listing("parcels", {"booked": Sort(gettext_lazy("Booked"), Order((("pk", number),)))}, has_views=True)
VIEWS = "parcels"


@dataclass(frozen=True, slots=True)
class Row:
    """What the list writes of a parcel."""

    number: str
    url: str
    reference: str
    # Which of how many of its order; "" for a parcel alone.
    piece: str
    # Whether it is a return, or has one; "" for most.
    way: str
    status: ParcelStatus
    title: str
    # How the promise was broken; "" if it was not, or if the parcel is lost.
    broken: str
    origin: str
    destination: str
    tier: str
    # "" for the party that reads the list.
    courier: str
    merchant: str
    booked: str
    # "" without a promise.
    due: str
    margin: str
    is_late: bool
    # The promised day, if another one was agreed on.
    original: str

    @classmethod
    def of(cls, parcel: Parcel, state: ParcelState, actor: Actor) -> "Row":
        promise, zone = state.promise, parcel.destination.time_zone
        is_open = state.is_late or state.outcome == Outcome.PENDING
        return cls(
            number=parcel.number,
            url=address("parcels:parcel_detail", parcel.number),
            reference=parcel.reference,
            piece=f"{parcel.piece}/{parcel.pieces}" if parcel.pieces > 1 else "",
            way=way_of(parcel),
            status=state.shown_status,
            title=title_of(state),
            broken=promise.outcome if promise and state.is_late and not state.loss else "",
            origin=parcel.origin.name,
            destination=parcel.destination.name,
            tier=parcel.tier.name,
            courier="" if actor.is_courier else parcel.courier.organisation.name,
            merchant="" if actor.is_merchant else parcel.merchant.organisation.name,
            booked=date_text(local_clock(parcel.booked_at, parcel.origin.time_zone), "SHORT_DATETIME_FORMAT"),
            due=date_text(local_clock(promise.deliver_by, zone), "SHORT_DATETIME_FORMAT") if promise else "",
            margin=promise.text if promise and is_open else "",
            is_late=state.is_late,
            original=date_text(local_clock(promise.original, zone)) if promise and promise.is_moved else "",
        )

    @property
    def html(self) -> SafeString:
        texts = {name: getattr(self, name) for name in _TEXTS}
        return filled("parcels/parcel_row.html", texts, {name: getattr(self, name) for name in _SHAPE})


# What a row only writes, and what decides how it looks.
_SHAPE: Final = ("status", "title", "broken", "is_late")
_TEXTS: Final = tuple(field.name for field in fields(Row) if field.name not in _SHAPE)


@require_safe
@login_required
def parcel_list(request: ActorRequest) -> HttpResponse:
    """List the organisation's parcels, newest first."""
    actor = request.actor
    require(actor, Capability.VIEW_PARCELS)
    parcels = Parcel.objects.visible_to(actor)
    filters = ParcelFilter(request.GET, queryset=parcels, all_organisations=actor.is_ops)
    # An invalid filter would filter nothing: showing all parcels would be wrong.
    views = OwnViews.of(actor, VIEWS)
    if url := views.default_url(request.GET):
        return redirect(url)
    asked = LIST.asked(request, _params(filters))
    page = (
        _page(filters, asked, request.GET) if filters.form.is_valid() and not asked.is_refused else Page([])
    )
    context = {
        "filter": filters,
        "form": filters.form,
        "more_count": sum(bool(filters.data.get(name)) for name in MORE_FILTERS),
        "statuses": ParcelStatus.choices,
        "chosen_statuses": [name for name in request.GET.getlist("status") if name in ParcelStatus.values],
        "rows": _rows(actor, page.parcels),
        "sorting": asked,
        "views": views.chips(asked),
        "next_url": asked.place_url("after", _number(page.older)),
        "previous_url": asked.place_url("before", _number(page.newer)),
        "broken_off": page.broken_off and moment_of(page.broken_off),
        "looked_at": LOOKED_AT,
        "ends": _ends(asked, page),
        "newest_url": asked.url() if page.is_past_end or asked.is_refused else "",
        "export_url": _export_url(actor, asked),
        "label_filters": urlencode(asked.filters, doseq=True),
        "most_labels": MOST_LABELS,
        "may_cancel": actor.is_merchant and actor.can(Capability.BOOK_PARCELS),
        "nothing": _empty_state(actor),
    }
    status = 200 if filters.form.is_valid() and not asked.is_refused else 422
    return render(request, "parcels/parcel_list.html", context, status=status)


# The filters behind "More filters", which shows how many of them are set.
MORE_FILTERS = (
    "tier", "due", "is_return", "has_return", "origin", "destination", "booked_from", "booked_to",
)  # fmt: skip


def _rows(actor: Actor, parcels: Sequence[Parcel]) -> list[Row]:
    states = states_of(actor=actor, parcels=parcels, now=timezone.now(), with_arrivals=False)
    return [Row.of(parcel, states[parcel.pk], actor) for parcel in parcels]


def _page(filters: ParcelFilter, asked: Asked, query: QueryDict) -> Page:
    return page_of(
        filters,
        older_than=read_place(asked.after),
        newer_than=read_place(asked.before),
        ascending=asked.ascending,
        is_last=bool(query.get(LAST)),
        size=PAGE_SIZE,
    )


def _params(filters: ParcelFilter) -> dict[str, list[str]]:
    given = {
        name: [value for value in filters.data.getlist(name) if value]
        for name in filters.filters
        if name not in filters.form.errors
    }
    return {name: values for name, values in given.items() if values}


def _number(place: int | None) -> str:
    return "" if place is None else tracking_number(place)


def _ends(asked: Asked, page: Page) -> dict[str, str]:
    """URLs of both ends of the list, if it has more than one page."""
    first = asked.url() if page.newer is not None else ""
    last = asked.url(**{LAST: "1"}) if page.older is not None else ""
    return {"newest": last, "oldest": first} if asked.ascending else {"newest": first, "oldest": last}


def _export_url(actor: Actor, asked: Asked) -> str:
    if not actor.can(Capability.EXPORT):
        return ""
    return f"{reverse('parcels:parcel_export')}?{urlencode(asked.filters, doseq=True)}".rstrip("?")


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
