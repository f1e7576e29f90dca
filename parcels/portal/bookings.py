"""Pages of quoting and booking: compare offers, choose one, enter the recipient."""

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
from parcels.portal.booking_forms import QuoteForm, RecipientForm
from parcels.portal.quotes import OfferView, offer_view, tier_views
from slas.offers.market import Quote, QuoteRequest, quote
from slas.promises.texts import moment_text

SUGGESTIONS = 8


@require_safe
@login_required
def quote_create(request: ActorRequest) -> HttpResponse:
    """Quote a parcel and compare the offers. The request is in the URL, so it can be bookmarked."""
    actor = _merchant(request)
    if not request.GET:
        form = QuoteForm(initial=_initial(actor), addresses=_addresses(actor))
        return render(request, "parcels/quote.html", {"form": form})
    form = QuoteForm(request.GET, addresses=_addresses(actor))
    current_quote = _quote_for(actor, form)
    if current_quote is None:
        return render(request, "parcels/quote.html", {"form": form}, status=422)
    context = {
        "form": form,
        "quote": current_quote,
        "tiers": tier_views(current_quote, request.GET),
        "ready_text": moment_text(
            local_clock(current_quote.request.ready_at, current_quote.request.origin.time_zone)
        ),
    }
    return render(request, "parcels/quote.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def parcel_book(request: ActorRequest) -> HttpResponse:
    """Book the chosen offer: quote and offer are in the URL, the recipient is in the form."""
    actor = _merchant(request)
    quote_form = QuoteForm(request.GET, addresses=_addresses(actor))
    current_quote = _quote_for(actor, quote_form)
    offer = _chosen_offer(current_quote, request.GET) if current_quote else None
    if current_quote is None or offer is None:
        return redirect(f"{reverse('parcels:quote_create')}?{_quote_query(request.GET)}")
    form = RecipientForm(request.POST or None)
    problem = ""
    if request.method == "POST" and form.is_valid():
        try:
            booked = book_parcel(
                actor=actor,
                request=_booking(current_quote, quote_form, form, request.GET),
                at=current_quote.at,
                source=ParcelSource.PORTAL,
            )
        except InvalidInput as error:
            _add_errors(form, error)
        except Conflict as error:
            problem = error.detail
        else:
            return redirect("parcels:parcel_booked", booked.number)
    context = {
        "form": form,
        "quote": current_quote,
        "offer": offer,
        "address": quote_form.cleaned_data.get("pickup_address"),
        "problem": problem,
        "quote_url": f"{reverse('parcels:quote_create')}?{_quote_query(request.GET)}",
        "changed": offer.deliver_by_iso != request.GET.get("deliver_by", ""),
    }
    status = 409 if problem else 422 if form.errors else 200
    return render(request, "parcels/book.html", context, status=status)


@require_safe
@login_required
def parcel_booked(request: ActorRequest, number: str) -> HttpResponse:
    """Confirm a booking: tracking number and promise."""
    actor = _merchant(request)
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None
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
    """Cancel a parcel that has not been picked up."""
    actor = _merchant(request)
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None
    _cancel_with_message(request, actor, parcel_id)
    return redirect("parcels:parcel_detail", number)


@require_safe
@login_required
def city_options(request: ActorRequest) -> HttpResponse:
    """Suggest cities for a partial input, as options of a datalist."""
    _merchant(request)
    # The parameter has the field's name: a form may have two city fields, and only the active one sends.
    text = one_line(next((str(value) for value in request.GET.values()), ""))[:80].replace("\x00", "")
    cities = search_cities(text)[:SUGGESTIONS] if text else []
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


def _quote_for(actor: Actor, form: QuoteForm) -> Quote | None:
    """The quote for a form; None, with errors on the form, if there is none."""
    if not form.is_valid():
        return None
    data, now = form.cleaned_data, timezone.now()
    request = QuoteRequest(
        origin=data["origin"],
        destination=data["destination"],
        weight_g=data["weight_g"],
        ready_at=data["ready_at"] or now,
        tier=data["tier"],
    )
    try:
        return quote(actor=actor, request=request, at=now)
    except InvalidInput as error:
        _add_errors(form, error)
        return None


def _chosen_offer(current_quote: Quote, query: QueryDict) -> OfferView | None:
    key = (query.get("courier"), query.get("service") or query.get("tier"))
    for offer in current_quote.offers:
        if (offer.offer.courier, offer.tier.code.value) == key:
            return offer_view(current_quote, offer, query)
    return None


def _booking(
    current_quote: Quote, quote_form: QuoteForm, form: RecipientForm, query: QueryDict
) -> BookingRequest:
    address = quote_form.cleaned_data.get("pickup_address")
    recipient = form.cleaned_data
    return BookingRequest(
        tier=query.get("service") or query.get("tier", ""),
        origin=current_quote.request.origin,
        destination=current_quote.request.destination,
        weight_g=current_quote.request.weight_g,
        ready_at=current_quote.request.ready_at,
        recipient=Recipient(
            one_line(recipient["name"]), one_line(recipient["phone"]), one_line(recipient["address"])
        ),
        courier=query.get("courier", ""),
        reference=one_line(recipient["reference"]),
        pickup_address_id=address.pk if address else None,
        expected_deliver_by=_moment(query.get("deliver_by", "")),
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.utcoffset() is not None else None


def _quote_query(query: QueryDict) -> str:
    """The query of the comparison page: without the chosen offer."""
    quote_query = query.copy()
    for name in ("courier", "service", "deliver_by"):
        quote_query.pop(name, None)
    return quote_query.urlencode()


def _add_errors(form: forms.Form, error: InvalidInput) -> None:
    """Add a service's errors to the form's fields."""
    names = {"weight_g": "weight", "pickup_address": "pickup_address"}
    for problem in error.errors:
        name = names.get(problem.field, problem.field)
        form.add_error(name if name in form.fields else None, problem.message)
    if not error.errors:
        form.add_error(None, error.detail)


def _cancel_with_message(request: ActorRequest, actor: Actor, parcel_id: int) -> None:
    try:
        cancel_parcel(actor=actor, parcel_id=parcel_id, at=timezone.now())
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The parcel was cancelled. Capacity released."))


def _local(moment: datetime | None, zone: str) -> str:
    return moment_text(local_clock(moment, zone)) if moment else ""
