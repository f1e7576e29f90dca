"""Quoting and booking by hand: compare offers, choose one, say whom it is for."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.cities import full_name, search_cities
from alliance.clocks import local_clock
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.bookings.rules import BookingRequest, Recipient, one_line
from parcels.bookings.services.booking import book_parcel
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.choices import ParcelSource
from parcels.models import Parcel, PickupAddress
from parcels.portal.forms import QuoteForm, RecipientForm
from parcels.portal.quotes import OfferView, offer_view, tier_views
from slas.offers.market import Quote, QuoteRequest, quote
from slas.promises.texts import moment_text

SUGGESTIONS = 8


@require_safe
@login_required
def quote_create(request: ActorRequest) -> HttpResponse:
    """Ask for offers, and compare them. The whole question is in the address, so it can be kept."""
    actor = _merchant(request)
    if not request.GET:
        form = QuoteForm(initial=_initial(actor), addresses=_addresses(actor))
        return render(request, "parcels/quote.html", {"form": form})
    form = QuoteForm(request.GET, addresses=_addresses(actor))
    found = _quoted(actor, form)
    if found is None:
        return render(request, "parcels/quote.html", {"form": form}, status=422)
    context = {
        "form": form,
        "quote": found,
        "tiers": tier_views(found, request.GET),
        "ready_text": moment_text(local_clock(found.request.ready_at, found.request.origin.time_zone)),
    }
    return render(request, "parcels/quote.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def parcel_book(request: ActorRequest) -> HttpResponse:
    """Book the offer chosen: the question and the offer are in the address, the recipient in the form."""
    actor = _merchant(request)
    asked = QuoteForm(request.GET, addresses=_addresses(actor))
    found = _quoted(actor, asked)
    chosen = _chosen(found, request.GET) if found else None
    if found is None or chosen is None:
        return redirect(f"{reverse('parcels:quote_create')}?{_question(request.GET)}")
    form = RecipientForm(request.POST or None)
    problem = ""
    if request.method == "POST" and form.is_valid():
        try:
            booked = book_parcel(
                actor=actor,
                request=_booking(found, asked, form, request.GET),
                at=found.at,
                source=ParcelSource.PORTAL,
            )
        except InvalidInput as error:
            _show(form, error)
        except Conflict as error:
            problem = error.detail
        else:
            return redirect("parcels:parcel_booked", booked.number)
    context = {
        "form": form,
        "quote": found,
        "offer": chosen,
        "address": asked.cleaned_data.get("pickup_address"),
        "problem": problem,
        "quote_url": f"{reverse('parcels:quote_create')}?{_question(request.GET)}",
        "changed": chosen.deliver_by_iso != request.GET.get("deliver_by", ""),
    }
    status = 409 if problem else 422 if form.errors else 200
    return render(request, "parcels/book.html", context, status=status)


@require_safe
@login_required
def parcel_booked(request: ActorRequest, number: str) -> HttpResponse:
    """Say that a parcel is booked, under which number and with which promise."""
    actor = _merchant(request)
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber as wrong:
        raise NotFound(str(wrong)) from None
    parcel = Parcel.objects.visible_to(actor).with_names().filter(pk=parcel_id).first()
    if parcel is None:
        raise NotFound
    context = {
        "parcel": parcel,
        "pickup_text": _local(parcel.pickup_by, parcel.origin.time_zone),
        "deliver_text": _local(parcel.deliver_by, parcel.destination.time_zone),
    }
    return render(request, "parcels/booked.html", context)


@require_POST
@login_required
def parcel_cancel(request: ActorRequest, number: str) -> HttpResponse:
    """Cancel a parcel that is not picked up yet."""
    actor = _merchant(request)
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber as wrong:
        raise NotFound(str(wrong)) from None
    _cancel_and_tell(request, actor, parcel_id)
    return redirect("parcels:parcel_detail", number)


@require_safe
@login_required
def city_options(request: ActorRequest) -> HttpResponse:
    """Suggest cities for what has been typed so far, as options of a list."""
    _merchant(request)
    # The field sends its own name; a form may have two of them, but only the one typed into asks.
    typed = one_line(next((str(value) for value in request.GET.values()), ""))[:80].replace("\x00", "")
    cities = search_cities(typed)[:SUGGESTIONS] if typed else []
    return render(request, "parcels/city_options.html", {"options": [full_name(city) for city in cities]})


def _merchant(request: ActorRequest) -> Actor:
    actor = request.actor
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    return actor


def _addresses(actor: Actor) -> Any:
    addresses = PickupAddress.objects.visible_to(actor).select_related("city")
    return addresses.order_by("-is_default", "name")


def _initial(actor: Actor) -> dict[str, Any]:
    default = _addresses(actor).first()
    return {"pickup_address": default.pk if default else None}


def _quoted(actor: Actor, form: QuoteForm) -> Quote | None:
    """The quote the form asks for; None, with the form's errors set, when it cannot be had."""
    if not form.is_valid():
        return None
    asked, now = form.cleaned_data, timezone.now()
    request = QuoteRequest(
        origin=asked["origin"],
        destination=asked["destination"],
        weight_g=asked["weight_g"],
        ready_at=asked["ready_at"] or now,
        tier=asked["tier"],
    )
    try:
        return quote(actor=actor, request=request, at=now)
    except InvalidInput as error:
        _show(form, error)
        return None


def _chosen(found: Quote, asked: QueryDict) -> OfferView | None:
    wanted = (asked.get("courier"), asked.get("service") or asked.get("tier"))
    for offer in found.offers:
        if (offer.offer.courier, offer.tier.code.value) == wanted:
            return offer_view(found, offer, asked)
    return None


def _booking(found: Quote, asked: QuoteForm, form: RecipientForm, query: QueryDict) -> BookingRequest:
    address = asked.cleaned_data.get("pickup_address")
    given = form.cleaned_data
    return BookingRequest(
        tier=query.get("service") or query.get("tier", ""),
        origin=found.request.origin,
        destination=found.request.destination,
        weight_g=found.request.weight_g,
        ready_at=found.request.ready_at,
        recipient=Recipient(one_line(given["name"]), one_line(given["phone"]), one_line(given["address"])),
        courier=query.get("courier", ""),
        reference=one_line(given["reference"]),
        pickup_address_id=address.pk if address else None,
        expected_deliver_by=_moment(query.get("deliver_by", "")),
    )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.utcoffset() is not None else None


def _question(query: QueryDict) -> str:
    """The address of the comparison, without the offer that was chosen."""
    kept = query.copy()
    for name in ("courier", "service", "deliver_by"):
        kept.pop(name, None)
    return kept.urlencode()


def _show(form: forms.Form, error: InvalidInput) -> None:
    """Put a service's errors beside the fields they are about."""
    names = {"weight_g": "weight", "pickup_address": "pickup_address"}
    for problem in error.errors:
        name = names.get(problem.field, problem.field)
        form.add_error(name if name in form.fields else None, problem.message)
    if not error.errors:
        form.add_error(None, error.detail)


def _cancel_and_tell(request: ActorRequest, actor: Actor, parcel_id: int) -> None:
    try:
        cancel_parcel(actor=actor, parcel_id=parcel_id, at=timezone.now())
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The parcel is cancelled. Its place is free again."))


def _local(moment: datetime | None, zone: str) -> str:
    return moment_text(local_clock(moment, zone)) if moment else ""
