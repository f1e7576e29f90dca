"""The list of excuses and decisions. Courier and merchant see the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import models
from django.http import FileResponse, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from alliance.choices import Capability
from alliance.cursors import Order, moment, number
from alliance.dates import time_text
from alliance.errors import Conflict, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.portal.forms import FilterForm
from alliance.portal.paging import Listing, Sort
from alliance.portal.view_lists import OwnViews
from alliance.tenancy import require
from alliance.web.addresses import address
from alliance.web.requests import ActorRequest
from alliance.web.stencils import filled
from couriers.documents.files import serve
from couriers.homes.lists import at_homes
from slas.choices import CommitmentKind, ExcuseReason, ExcuseSource, ExcuseState
from slas.excuses.querysets import ExcuseQuerySet
from slas.excuses.services.claims import find_excuse, may_claim, require_claimant, take_back_claim
from slas.listed import with_names
from slas.models import Excuse

PAGE = 50
LIST = Listing(
    "exemptions",
    {"requested": Sort(gettext_lazy("Requested"), Order((("claimed_at", moment), ("pk", number))))},
    has_views=True,
)


class Period(models.TextChoices):
    """The period of the list, by the day of the claim."""

    MONTH = "30", gettext_lazy("Last 30 days")
    QUARTER = "90", gettext_lazy("Last 90 days")
    YEAR = "365", gettext_lazy("Last 365 days")
    ALL = "all", gettext_lazy("All times")


class ExcuseFilterForm(FilterForm):
    state = forms.ChoiceField(
        label=gettext_lazy("Decision"),
        required=False,
        choices=[("", gettext_lazy("All")), *ExcuseState.choices],
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        required=False,
        choices=[("", gettext_lazy("All reasons")), *ExcuseReason.choices],
    )
    period = forms.ChoiceField(
        label=gettext_lazy("Requested"),
        required=False,
        choices=Period.choices,
        initial=Period.QUARTER,
    )


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """The number of excuses for one reason, by state."""

    reason: str
    # In the order of the table's columns.
    counts: list[int]

    @property
    def label(self) -> str:
        return str(ExcuseReason(self.reason).label)

    @property
    def total(self) -> int:
        return sum(self.counts)


@require_safe
@login_required
def excuse_list(request: ActorRequest) -> HttpResponse:
    """List the excuses of the actor's breaches, with counts by reason and decision."""
    actor = request.actor
    require(actor, Capability.VIEW_RATES)
    views = OwnViews.of(actor, "exemptions")
    if url := views.default_url(request.GET):
        return redirect(url)
    form = ExcuseFilterForm(_with_period(request.GET))
    filters = form.filters
    in_period = _in_period(form.among(Excuse.objects.visible_to(actor)), filters.get("period", Period.ALL))
    excuses = in_period.matching(state=filters.get("state"), reason=filters.get("reason"))
    asked = LIST.asked(request, form.params)
    page = LIST.page(
        excuses.prefetch_related("disruption", "closure"),
        asked,
        size=PAGE,
        complete=with_names,
        narrow=at_homes,
    )
    states = [state for state in ExcuseState if state != ExcuseState.LAPSED]
    context = {
        "form": form,
        "asked": {name: value for name, value in filters.items() if name != "period"},
        "excuses": page.rows,
        "lines": [_line(excuse, for_courier=actor.is_courier) for excuse in page.rows],
        "states": states,
        "rows": _by_reason(in_period, states),
        "may_claim": may_claim(actor),
        "views": views.chips(asked),
        **page.context,
    }
    return render(request, "slas/excuse_list.html", context, status=max(form.status, page.status))


@require_safe
@login_required
def excuse_evidence(request: ActorRequest, excuse_id: int) -> FileResponse:
    """Send the file of a claim to the two parties, or to ops."""
    actor = request.actor
    require(actor, Capability.VIEW_RATES)
    excuse = find_excuse(actor=actor, excuse_id=excuse_id, parcel_id=_parcel_id(request))
    if not excuse.evidence:
        raise NotFound
    try:
        stream = excuse.evidence.open("rb")
    except FileNotFoundError as error:
        raise NotFound(_("The file of this request is missing.")) from error
    extension = str(excuse.evidence.name).rsplit(".", 1)[-1]
    return serve(stream, name=excuse.evidence_name, extension=extension, download="download" in request.GET)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def excuse_withdraw(request: ActorRequest, excuse_id: int) -> HttpResponse:
    """Ask, then withdraw a claim, and return to the page that showed it."""
    actor, parcel_id = request.actor, _parcel_id(request)
    if request.method != "POST":
        require_claimant(actor)
        own = find_excuse(actor=actor, excuse_id=excuse_id, parcel_id=parcel_id)
        return render(request, "slas/excuse_withdraw.html", {"excuse": own})
    try:
        excuse = take_back_claim(actor=actor, excuse_id=excuse_id, parcel_id=parcel_id)
    except Conflict as error:
        messages.warning(request, error.detail)
        return redirect("slas:excuse_list")
    messages.success(request, _("The request was withdrawn."))
    return redirect("parcels:breach_detail", excuse.number, excuse.kind)


def _parcel_id(request: ActorRequest) -> int | None:
    """The parcel that a link to an excuse names, so that only its worker is asked on a cluster.

    None for an address without it, as the release before made them. Raises NotFound for what is no number.
    """
    if not (number := request.GET.get("number", "")):
        return None
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None


def _line(excuse: Excuse, *, for_courier: bool) -> SafeString:
    number = excuse.number
    party = excuse.merchant if for_courier else excuse.courier.organisation
    texts = {
        "number": number,
        "url": address("parcels:breach_detail", number, excuse.kind),
        "kind": str(CommitmentKind(excuse.kind).label),
        "party": party.name,
        "reason": str(ExcuseReason(excuse.reason).label),
        "source": str(excuse.disruption or excuse.closure or ExcuseSource(excuse.source).label),
        "claimed": time_text(excuse.claimed_at),
        "decided": time_text(excuse.decided_at) if excuse.decided_at else "",
    }
    return filled("slas/excuse_row.html", texts, {"for_courier": for_courier, "state": excuse.state})


def _with_period(query: QueryDict) -> dict[str, str]:
    """Return the query with the default period if it has none, so that the form shows the period used."""
    params = {name: str(value) for name, value in query.items()}
    return {**params, "period": params.get("period") or Period.QUARTER.value}


def _in_period(excuses: ExcuseQuerySet, period: str) -> ExcuseQuerySet:
    if period == Period.ALL:
        return excuses
    return excuses.filter(claimed_at__gte=timezone.now() - timedelta(days=int(period)))


def _by_reason(excuses: ExcuseQuerySet, states: Sequence[ExcuseState]) -> list[ReasonRow]:
    counts = {(reason, state): count for reason, state, count in excuses.counts("reason", "state")}
    rows = [
        ReasonRow(reason, [counts.get((reason, state), 0) for state in states])
        for reason in ExcuseReason.values
    ]
    return sorted((row for row in rows if row.total), key=lambda row: -row.total)
