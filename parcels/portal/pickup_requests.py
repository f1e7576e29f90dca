"""Request a pickup: choose the courier and the address, then the parcels and the window."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.dates import date_text
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.portal.forms import add_service_errors
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.choices import ParcelStatus
from parcels.models import Parcel, PickupAddress
from parcels.pickups.queries import Waiting, by_stop, waiting_parcels, without_open
from parcels.pickups.rules import Stop, Window
from parcels.pickups.services.requesting import Asked, request_pickup
from parcels.portal.pickup_forms import WINDOW_FIELDS, WindowForm, usual_window

# Ticked one by one: a form of more fields is refused.
SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """One parcel to tick, by the clock of its address."""

    parcel: Parcel
    ready: str
    promised: str
    is_late: bool
    is_chosen: bool
    problem: str


@dataclass(frozen=True, slots=True)
class StopRow:
    """Where parcels wait for a courier."""

    waiting: Waiting
    address: PickupAddress
    promised: str

    @property
    def numbers(self) -> list[str]:
        return [parcel.number for parcel in self.waiting.parcels[:SHOWN]]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pickup_create(request: ActorRequest) -> HttpResponse:
    """Show where parcels wait; of one place, its parcels and the window; then request the pickup."""
    actor, now = request.actor, timezone.now()
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    if request.method == "POST" and "day" in request.POST:
        return _request(request, actor, now)
    numbers = request.POST.getlist("numbers") or request.GET.getlist("number")
    if not numbers:
        return _stops(request, waiting_parcels(actor, now))
    parcels = list(Parcel.objects.visible_to(actor).filter(pk__in=_ids(numbers[:SHOWN])))
    booked = [each for each in parcels if each.status == ParcelStatus.BOOKED]
    stops = by_stop(actor, without_open(booked, now))
    left_out = len(numbers) - sum(len(stop.parcels) for stop in stops)
    if left_out:
        text = ngettext(
            "%d parcel is left out: picked up, cancelled, without a pickup address or in an open request.",
            "%d parcels are left out: picked up, cancelled, without a pickup address or in an open request.",
            left_out,
        )
        messages.warning(request, text % left_out)
    if len(stops) != 1:
        return _stops(request, stops)
    return _form(request, actor, stops[0], now)


def _request(request: ActorRequest, actor: Actor, now: datetime) -> HttpResponse:
    listed = _ids(request.POST.get("listed", "").split())
    chosen = [pk for pk in _ids(request.POST.getlist("numbers"))]
    parcels = list(Parcel.objects.visible_to(actor).filter(pk__in={*listed, *chosen}))
    groups = by_stop(actor, parcels)
    if not groups:
        return redirect("parcels:pickup_create")
    group = groups[0]
    form = WindowForm(request.POST, window=_usual(group, _address(actor, group.stop), now))
    if not form.is_valid():
        return _form(request, actor, group, now, form=form, chosen=chosen)
    if not chosen:
        form.add_error(None, _("Select at least one parcel."))
        return _form(request, actor, group, now, form=form, chosen=chosen)
    window = form.window_in(_address(actor, group.stop).city.time_zone)
    asked = Asked(
        chosen,
        window.starts_at,
        window.ends_at,
        group.stop.courier_id,
        group.stop.address_id,
        form.cleaned_data["note"],
        is_whole=True,
    )
    try:
        requested = request_pickup(actor=actor, asked=asked, now=now)
    except InvalidInput as error:
        add_service_errors(form, error, WINDOW_FIELDS)
        return _form(request, actor, group, now, form=form, chosen=chosen)
    except Conflict as error:
        # By their places among those that were ticked.
        problems = {chosen[int(each.field)]: each.message for each in error.errors}
        form.add_error(None, _unfit(len(problems), len(chosen)))
        # If none fits, it is the window that is wrong: they stay ticked.
        fitting = [pk for pk in chosen if pk not in problems] or chosen
        return _form(request, actor, group, now, form=form, chosen=fitting, problems=problems)
    messages.success(request, _("Requested. The courier accepts or proposes another window."))
    return redirect("parcels:pickup_detail", requested.pickup.pk)


def _unfit(n: int, of: int) -> str:
    if n == of:
        return _("None of these parcels fits: each says why. Change the window or the selection.")
    text = ngettext(
        "%d parcel does not fit and is no longer ticked. Change the window, or request the others.",
        "%d parcels do not fit and are no longer ticked. Change the window, or request the others.",
        n,
    )
    return text % n


def _stops(request: ActorRequest, stops: Sequence[Waiting]) -> HttpResponse:
    addresses = PickupAddress.objects.select_related("city").in_bulk([each.stop.address_id for each in stops])
    rows = [
        StopRow(each, address, _clock(each.promised_by, address.city.time_zone))
        for each in stops
        if (address := addresses.get(each.stop.address_id)) is not None
    ]
    return render(request, "parcels/pickup_stops.html", {"rows": rows, "shown": SHOWN})


def _form(
    request: ActorRequest,
    actor: Actor,
    group: Waiting,
    now: datetime,
    *,
    form: WindowForm | None = None,
    chosen: Sequence[int] | None = None,
    problems: dict[int, str] | None = None,
) -> HttpResponse:
    address = _address(actor, group.stop)
    zone, ticked = address.city.time_zone, {*(chosen or ())}
    choices = [
        Choice(
            parcel,
            ready=_clock(parcel.ready_at, zone),
            promised=_clock(parcel.pickup_by, zone),
            is_late=parcel.pickup_by is not None and parcel.pickup_by <= now,
            is_chosen=chosen is None or parcel.pk in ticked,
            problem=(problems or {}).get(parcel.pk, "").removeprefix(f"{parcel.number}: "),
        )
        for parcel in group.parcels[:SHOWN]
    ]
    context = {
        "form": form or WindowForm(window=_usual(group, address, now)),
        "choices": choices,
        "listed": " ".join(choice.parcel.number for choice in choices),
        "courier": group.courier,
        "address": address,
        "left": len(group.parcels) - len(choices),
    }
    status = 422 if form is not None else 200
    return render(request, "parcels/pickup_form.html", context, status=status)


def _usual(group: Waiting, address: PickupAddress, now: datetime) -> Window:
    promised = [each.pickup_by for each in group.parcels if each.pickup_by and each.pickup_by > now]
    return usual_window(
        address.city.time_zone,
        now=now,
        ready_at=max(each.ready_at for each in group.parcels),
        pickup_by=min(promised, default=None),
    )


def _address(actor: Actor, stop: Stop) -> PickupAddress:
    # Also one that was removed: parcels booked from it are still there.
    addresses = PickupAddress.objects.filter(merchant_id=actor.tenant_id).select_related("city")
    address = addresses.filter(pk=stop.address_id).first()
    if address is None:
        raise NotFound
    return address


def _ids(numbers: Sequence[str]) -> list[int]:
    """Return the parcels' ids, each once; what is no tracking number was not ticked in our list."""
    ids: dict[int, None] = {}
    for number in numbers:
        try:
            ids[parse_tracking_number(number)] = None
        except InvalidTrackingNumber as error:
            raise NotFound(str(error)) from None
    return list(ids)


def _clock(moment: datetime | None, zone: str) -> str:
    return "" if moment is None else date_text(local_clock(moment, zone), "MOMENT_FORMAT")
