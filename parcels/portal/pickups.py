"""Pages of pickup requests: the list, one request with its answers, a courier's round of a day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.dates import date_text
from alliance.errors import Conflict, InvalidInput
from alliance.models import Organisation
from alliance.portal.forms import add_service_errors
from alliance.portal.paging import newest_first
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.choices import ParcelStatus, PickupStage
from parcels.models import Parcel, Pickup
from parcels.pickups.files import round_as_pdf
from parcels.pickups.queries import (
    MOST_STOPS_A_ROUND,
    View,
    count_to_answer,
    parcels_of,
    pickup_of,
    pickups_of,
    round_of,
    views_of,
)
from parcels.pickups.services import answering, proposing
from parcels.portal.pickup_forms import (
    TO_ANSWER,
    WINDOW_FIELDS,
    DeclineForm,
    PickupFilterForm,
    RoundForm,
    WindowForm,
)

LIST: Final = newest_first("pickups", gettext_lazy("Requested"))
PAGE_SIZE: Final = 25


@dataclass(frozen=True, slots=True)
class ParcelRow:
    """One parcel of a request, by the clock of its address."""

    parcel: Parcel
    promised: str
    picked_up: str
    is_missed: bool


@require_safe
@login_required
def pickup_list(request: ActorRequest) -> HttpResponse:
    """List the requests of the actor's organisation, newest first."""
    actor, now = request.actor, timezone.now()
    pickups = pickups_of(actor)
    form = PickupFilterForm(request.GET)
    filters = form.filters
    missed, state = filters.pop("missed", ""), filters.pop("state", "")
    rows = form.among(pickups).filter(**filters)
    if state == TO_ANSWER:
        rows = rows.to_answer_by(actor, now)
    elif state:
        rows = rows.filter(state=state)
    if missed:
        rows = rows.with_missed(missed == "true")
    page = LIST.page(rows, LIST.asked(request, form.params), size=PAGE_SIZE)
    views = views_of(page.rows, now)
    if missed == "true":
        # A scan that arrived since they were counted.
        views = [view for view in views if view.is_missed]
    context = {
        "form": form,
        "views": views,
        "to_answer": count_to_answer(actor=actor, now=now),
        "may_request": actor.is_merchant and actor.can(Capability.BOOK_PARCELS),
        "may_go": actor.is_courier and actor.can(Capability.SEND_SCANS),
        **page.context,
    }
    status = 422 if form.errors else page.status
    return render(request, "parcels/pickup_list.html", context, status=status)


@require_safe
@login_required
def pickup_detail(request: ActorRequest, pickup_id: int) -> HttpResponse:
    """Show one request with its parcels, and what the reader may answer."""
    return _page(request, pickup_id)


@require_safe
@login_required
def pickup_round(request: ActorRequest) -> HttpResponse:
    """List what a courier picks up on a day, to be printed."""
    actor, now = request.actor, timezone.now()
    require(actor, Capability.SEND_SCANS)
    form = RoundForm(request.GET)
    day = form.filters.get("day") or timezone.localdate()
    views = round_of(actor, day, now) if form.is_valid() else []
    context = {
        "form": form,
        "day": day,
        "views": views,
        "parcels": sum(view.progress.parcels for view in views),
        "picked_up": sum(view.progress.picked_up for view in views),
        "weight_g": sum(view.pickup.weight_g for view in views),
        "is_cut": len(views) == MOST_STOPS_A_ROUND,
        "previous": day - timedelta(days=1) if day > date.min else None,
        "next": day + timedelta(days=1) if day < date.max else None,
    }
    return render(request, "parcels/pickup_round.html", context, status=form.status)


@require_safe
@login_required
def pickup_round_pdf(request: ActorRequest) -> HttpResponse:
    """Send the round of a day to print, or to take along."""
    actor = request.actor
    require(actor, Capability.SEND_SCANS)
    form = RoundForm(request.GET)
    if not form.is_valid():
        return redirect("parcels:pickup_round")
    day = form.filters.get("day") or timezone.localdate()
    views = round_of(actor, day, timezone.now())
    courier = Organisation.objects.get(pk=actor.tenant_id).name
    content = round_as_pdf(courier, day, views, is_cut=len(views) == MOST_STOPS_A_ROUND)
    headers = {
        "Content-Disposition": content_disposition_header(
            as_attachment=False, filename=f"round-{day.isoformat()}.pdf"
        )
        or "",
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(content, content_type="application/pdf", headers=headers)


@require_POST
@login_required
def pickup_accept(request: ActorRequest, pickup_id: int) -> HttpResponse:
    require(request.actor, Capability.SEND_SCANS)
    return _do(
        request, pickup_id, answering.accept_pickup, _("Agreed. The pickup is due by the end of this window.")
    )


@require_POST
@login_required
def pickup_propose(request: ActorRequest, pickup_id: int) -> HttpResponse:
    """Offer the other side another window, also instead of one that is agreed on."""
    actor = _either_side(request)
    view = pickup_of(actor, pickup_id, timezone.now())
    form = WindowForm(request.POST, window=view.window)
    if not form.is_valid():
        return _page(request, pickup_id, propose_form=form, status=422)
    window = form.window_in(view.zone)

    def propose(**named: Any) -> Pickup:
        return proposing.propose_window(
            starts_at=window.starts_at, ends_at=window.ends_at, answer=form.cleaned_data["note"], **named
        )

    text = _("Proposed. The merchant agrees to it or cancels.")
    if view.is_agreed:
        text = _("Proposed. The agreed window stands until the other side agrees.")
    try:
        return _do(request, pickup_id, propose, text)
    except InvalidInput as error:
        add_service_errors(form, error, WINDOW_FIELDS)
        return _page(request, pickup_id, propose_form=form, status=422)


@require_POST
@login_required
def pickup_decline(request: ActorRequest, pickup_id: int) -> HttpResponse:
    """Refuse to come, with a reason."""
    require(request.actor, Capability.SEND_SCANS)
    form = DeclineForm(request.POST)
    if not form.is_valid():
        return _page(request, pickup_id, decline_form=form, status=422)

    def decline(**named: Any) -> Pickup:
        return answering.decline_pickup(answer=form.cleaned_data["note"], **named)

    try:
        return _do(request, pickup_id, decline, _("Declined. The merchant reads why."))
    except InvalidInput as error:
        add_service_errors(form, error)
        return _page(request, pickup_id, decline_form=form, status=422)


@require_POST
@login_required
def pickup_agree(request: ActorRequest, pickup_id: int) -> HttpResponse:
    """Take the other side's window: the one that the page showed."""
    text = _("Agreed. The courier comes in this window.")
    return _about_proposal(request, pickup_id, proposing.agree_to_window, text)


@require_POST
@login_required
def pickup_keep(request: ActorRequest, pickup_id: int) -> HttpResponse:
    """Leave the agreed window as it is: refuse the other side's proposal, or take the own one back."""
    text = _("The agreed window stays as it is.")
    return _about_proposal(request, pickup_id, proposing.keep_window, text)


@require_POST
@login_required
def pickup_cancel(request: ActorRequest, pickup_id: int) -> HttpResponse:
    require(request.actor, Capability.BOOK_PARCELS)
    text = _("The pickup was cancelled. Its parcels stay booked.")
    return _do(request, pickup_id, answering.cancel_pickup, text)


def _either_side(request: ActorRequest) -> Actor:
    actor = request.actor
    require(actor, Capability.BOOK_PARCELS if actor.is_merchant else Capability.SEND_SCANS)
    return actor


def _about_proposal(
    request: ActorRequest, pickup_id: int, verb: Callable[..., Pickup], text: str
) -> HttpResponse:
    """Answer a proposal, if it is still the one that the page showed."""
    view = pickup_of(_either_side(request), pickup_id, timezone.now())
    proposed = view.proposed
    if proposed is None or request.POST.get("window") != _key(view):
        messages.error(request, _("Another window was proposed since, or none is any more. Read it again."))
        return redirect("parcels:pickup_detail", pickup_id)

    def answer(**named: Any) -> Pickup:
        return verb(starts_at=proposed.starts_at, ends_at=proposed.ends_at, **named)

    return _do(request, pickup_id, answer, text)


def _do(request: ActorRequest, pickup_id: int, verb: Callable[..., Pickup], text: str) -> HttpResponse:
    """Answer a request, and show it with what became of that."""
    try:
        verb(actor=request.actor, pickup_id=pickup_id, now=timezone.now())
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, text)
    return redirect("parcels:pickup_detail", pickup_id)


def _page(
    request: ActorRequest,
    pickup_id: int,
    *,
    propose_form: WindowForm | None = None,
    decline_form: DeclineForm | None = None,
    status: int = 200,
) -> HttpResponse:
    actor, now = request.actor, timezone.now()
    view = pickup_of(actor, pickup_id, now)
    parcels = parcels_of(actor, view.pickup)
    stage = view.stage
    answers = actor.is_courier and actor.can(Capability.SEND_SCANS)
    settles = actor.is_merchant and actor.can(Capability.BOOK_PARCELS)
    is_open = stage in {PickupStage.REQUESTED, PickupStage.PROPOSED}
    is_standing = stage == PickupStage.ACCEPTED and now < view.window.ends_at
    own = view.pickup.move_asked_by == actor.organisation_kind
    context = {
        "view": view,
        "pickup": view.pickup,
        "stage": stage,
        "sentence": sentence(view, actor),
        "warning": _warning(view, parcels),
        "rows": [_row(view, parcel) for parcel in parcels],
        "may_accept": answers and stage == PickupStage.REQUESTED,
        "may_propose": answers and is_open,
        "may_move": (answers or settles) and is_standing,
        "may_keep": (answers or settles) and view.is_moving,
        "is_own_move": own,
        "may_agree": (settles and stage == PickupStage.PROPOSED)
        or ((answers or settles) and view.is_moving and not own),
        "may_cancel": settles and (is_open or is_standing),
        "window_key": _key(view),
        "propose_form": propose_form or WindowForm(window=view.proposed or view.window),
        "moved_to": view.proposed.text if view.is_moving and view.proposed else "",
        "decline_form": decline_form or DeclineForm(),
        "zone_city": view.address.city.name,
    }
    return render(request, "parcels/pickup_detail.html", context, status=status)


def sentence(view: View, actor: Actor) -> str:
    """Say what a request waits for, or how it ended."""
    params = {
        "courier": view.courier,
        "window": view.window.text,
        "missed": view.progress.missed,
        "n": view.progress.parcels,
    }
    match view.stage:
        case PickupStage.REQUESTED if actor.is_courier:
            return _("Accept this window, or propose another one.")
        case PickupStage.REQUESTED:
            return _("%(courier)s has not answered yet.") % params
        case PickupStage.PROPOSED if actor.is_courier:
            return _("The merchant has not answered your proposal yet.")
        case PickupStage.PROPOSED:
            return _("%(courier)s proposes another window: agree to it, or cancel.") % params
        case PickupStage.ACCEPTED:
            return _("%(courier)s comes %(window)s.") % params
        case PickupStage.DONE:
            return _("All parcels were picked up.")
        case PickupStage.MISSED:
            return _("%(missed)d of %(n)d parcels were not picked up within the agreed window.") % params
        case PickupStage.LAPSED:
            return _("Nobody answered before the window ended. The promised pickup stays due.")
        case PickupStage.DECLINED:
            return _("%(courier)s does not come in this window. The promised pickup stays due.") % params
    return _("Cancelled by the merchant.")


def _warning(view: View, parcels: list[Parcel]) -> str:
    """Say that a window which the courier proposed ends after what it promised."""
    waits = view.stage == PickupStage.PROPOSED or view.is_moving
    window = view.proposed if waits else view.window
    if window is None or view.stage not in {PickupStage.PROPOSED, PickupStage.ACCEPTED}:
        return ""
    waiting = [each.pickup_by for each in parcels if each.status == ParcelStatus.BOOKED]
    sooner = [by for by in waiting if by and by < window.ends_at]
    if not sooner:
        return ""
    at = date_text(local_clock(min(sooner), view.zone), "MOMENT_FORMAT")
    return _(
        "The window ends after the promised pickup of %(n)d parcels, the first by %(at)s. "
        "That promise does not change: what is picked up later is late."
    ) % {"n": len(sooner), "at": at}


def _row(view: View, parcel: Parcel) -> ParcelRow:
    zone, window = view.zone, view.window
    at = parcel.picked_up_at
    over = view.stage == PickupStage.MISSED and parcel.status != ParcelStatus.CANCELLED
    return ParcelRow(
        parcel,
        promised=date_text(local_clock(parcel.pickup_by, zone), "MOMENT_FORMAT") if parcel.pickup_by else "",
        picked_up=date_text(local_clock(at, zone), "MOMENT_FORMAT") if at else "",
        is_missed=over and (at is None or at > window.ends_at),
    )


def _key(view: View) -> str:
    proposed = view.proposed
    return (
        "" if proposed is None else f"{proposed.starts_at.timestamp():.0f}-{proposed.ends_at.timestamp():.0f}"
    )
