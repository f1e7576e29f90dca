"""Pages of quoting and booking: compare offers, choose one, enter the recipient."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.cities import full_name, search_cities
from alliance.clocks import local_clock
from alliance.dates import date_text
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Actor, require
from alliance.texts import one_line, plain
from alliance.web.requests import ActorRequest
from alliance.wording import sentences
from parcels.bookings.rules import BookingRequest, Recipient
from parcels.bookings.services.booking import book_order
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelSource
from parcels.models import Parcel, PickupAddress, SavedRecipient
from parcels.portal.booking_forms import QuoteForm, RecipientForm
from parcels.portal.orders import order_view
from parcels.portal.quotes import expected_of, offer_view, tier_views, weights_text, without_agreed
from parcels.portal.recipients import read_number, recipient_row
from parcels.recipients.rules import Entry
from parcels.recipients.services.saving import choose_recipient, save_recipient
from slas.listed import first_with_names
from slas.offers.quotes import Quote, QuoteRequest, quote
from slas.promises.prices import yuan

SUGGESTIONS = 8


@require_safe
@login_required
def quote_create(request: ActorRequest) -> HttpResponse:
    """Quote a parcel and compare the offers. The request is in the URL, so it can be bookmarked."""
    actor = _merchant(request)
    if not request.GET or set(request.GET) == {"to"}:
        form = QuoteForm(initial=_initial(actor) | _to(actor, request), addresses=_addresses(actor))
        return render(request, "parcels/quote.html", {"form": form})
    form = QuoteForm(request.GET, addresses=_addresses(actor))
    current_quote = _quote_for(actor, form)
    if current_quote is None:
        return render(request, "parcels/quote.html", {"form": form}, status=422)
    context = {
        "form": form,
        "quote": current_quote,
        "tiers": tier_views(current_quote, request.GET),
        "weight_text": weights_text(current_quote.request.weights),
        "ready_text": _local(current_quote.request.ready_at, current_quote.request.origin.time_zone),
    }
    return render(request, "parcels/quote.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def parcel_book(request: ActorRequest) -> HttpResponse:
    """Book the chosen offer: the quote and what is agreed on are in the URL, the recipient is in the form.

    Whatever no longer holds is refused with what holds now, and the form with all that was typed.
    """
    actor = _merchant(request)
    choice = _Choice(request, actor)
    if request.method != "POST":
        if choice.offer is None:
            messages.warning(request, choice.problem)
            return redirect(choice.quote_url)
        return choice.page(RecipientForm())
    if "fill" in request.POST:
        return choice.page(RecipientForm(initial=choice.filled()))
    if "choose" in request.POST:
        # Another offer was chosen after a refusal: what was typed goes along.
        return choice.page(RecipientForm(initial=request.POST.dict()))
    form = RecipientForm(request.POST)
    problem = choice.problem
    if form.is_valid() and not problem:
        try:
            booked = choice.book(form)
        except InvalidInput as error:
            _add_errors(form, error)
        except Conflict as error:
            problem = error.detail
        else:
            if form.cleaned_data["save"]:
                choice.save(form)
            return redirect("parcels:parcel_booked", booked.number)
        choice.quote_again()
    return choice.page(form, problem)


class _Choice:
    """The offer that a merchant chose: what was agreed on is in the URL, and what holds now."""

    def __init__(self, request: ActorRequest, actor: Actor) -> None:
        self._request, self._actor = request, actor
        self.quote_url = f"{reverse('parcels:quote_create')}?{without_agreed(request.GET)}"
        self.quote_again()

    def quote_again(self) -> None:
        query = self._request.GET
        self._form = QuoteForm(query, addresses=_addresses(self._actor))
        self._quote = _quote_for(self._actor, self._form, is_chosen=True)
        offers = self._quote.offers if self._quote else ()
        views = [offer_view(self._quote, offer, query) for offer in offers] if self._quote else []
        key = (query.get("courier"), query.get("service") or query.get("tier"))
        self.offer = next((view for view in views if (view.courier, view.service) == key), None)
        self._others = [view for view in views if view is not self.offer and not view.is_full]

    @property
    def problem(self) -> str:
        """Why the offer can't be booked as agreed, as far as can be told before booking."""
        if self._quote is None:
            return sentences(*(str(error) for errors in self._form.errors.values() for error in errors))
        if self.offer is None:
            return _("This courier no longer offers this service between these cities.")
        if expected_of(self._request.GET, parcels=len(self._quote.request.weights)) is None:
            return _("Check the price and the delivery time, then book again.")
        return ""

    def book(self, form: RecipientForm) -> Booked:
        """Book it as agreed and return its first parcel. Raises Conflict if that no longer holds."""
        assert self._quote is not None  # noqa: S101 -- `problem` was asked before
        query, quoted = self._request.GET, self._quote.request
        address = self._form.cleaned_data.get("pickup_address")
        recipient = form.cleaned_data
        weights = quoted.weights
        common = BookingRequest(
            tier=query.get("service") or query.get("tier", ""),
            origin=quoted.origin,
            destination=quoted.destination,
            weight_g=weights[0],
            ready_at=quoted.ready_at,
            recipient=Recipient.written(recipient["name"], recipient["phone"], recipient["address"]),
            courier=query.get("courier", ""),
            reference=plain(recipient["reference"]),
            pickup_address_id=address.pk if address else None,
            declared_value_fen=quoted.declared_value_fen,
            pieces=len(weights),
        )
        expected = expected_of(query, parcels=len(weights)) or [{}] * len(weights)
        requests = [
            replace(common, weight_g=weight_g, piece=n, **agreed)
            for n, (weight_g, agreed) in enumerate(zip(weights, expected, strict=True), start=1)
        ]
        # A savepoint: after a refusal the page is shown in the same transaction.
        with transaction.atomic():
            booked = book_order(
                actor=self._actor, requests=requests, at=self._quote.at, source=ParcelSource.PORTAL
            )
        return booked[0]

    def filled(self) -> dict[str, Any]:
        """What was typed, with the recipient in full who was chosen in the address book: that is audited."""
        typed: dict[str, Any] = self._request.POST.dict()
        number = read_number(typed.get("fill", ""))
        recipient = choose_recipient(actor=self._actor, recipient_id=number, at=timezone.now())
        if self._quote is not None and recipient.city_id != self._quote.request.destination.pk:
            message = _("This recipient is in %(city)s. Get a quote to there first.")
            messages.warning(self._request, message % {"city": recipient.city.name})
            return typed
        return typed | {name: getattr(recipient, name) for name in ("name", "phone", "address")}

    def save(self, form: RecipientForm) -> None:
        """Save the recipient of a booking to the address book; a full one does not undo the booking."""
        assert self._quote is not None  # noqa: S101 -- it is booked
        texts = {name: form.cleaned_data[name] for name in ("name", "phone", "address")}
        entry = Entry.written(city=self._quote.request.destination, **texts)
        try:
            save_recipient(actor=self._actor, entry=entry, at=timezone.now())
        except Conflict as error:
            messages.warning(self._request, error.detail)

    def _saved(self) -> dict[str, Any]:
        """The address book, if there is one, and the recipient with whom the quote began."""
        own = SavedRecipient.objects.visible_to(self._actor).select_related("city")
        number = read_number(self._request.GET.get("to", ""))
        if not self._actor.can(Capability.UNMASK) or self._quote is None:
            return {"book": False}
        saved = own.filter(pk=number, city=self._quote.request.destination) if number else own.none()
        rows = [] if "fill" in self._request.POST else list(saved)
        return {"book": bool(rows) or own.exists(), "saved": [recipient_row(row) for row in rows]}

    def page(self, form: RecipientForm, problem: str = "") -> HttpResponse:
        query = self._request.GET
        is_changed = self.offer is not None and any(
            value != query.get(name) for name, value in self.offer.agreed.items()
        )
        declared_fen = self._quote.request.declared_value_fen if self._quote else None
        context = {
            "form": form,
            "quote": self._quote,
            "weight_text": weights_text(self._quote.request.weights) if self._quote else "",
            "offer": self.offer,
            "others": self._others if problem else [],
            "address": self._form.cleaned_data.get("pickup_address"),
            "problem": problem,
            "declared": yuan(declared_fen) if declared_fen else "",
            "quote_url": self.quote_url,
            "changed": is_changed,
            **self._saved(),
        }
        status = 409 if problem else 422 if form.errors else 200
        return render(self._request, "parcels/book.html", context, status=status)


@require_safe
@login_required
def parcel_booked(request: ActorRequest, number: str) -> HttpResponse:
    """Confirm a booking: tracking number, promise and price."""
    actor = _merchant(request)
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None
    parcel = first_with_names(Parcel.objects.visible_to(actor).filter(pk=parcel_id))
    if parcel is None:
        raise NotFound
    order = order_view(actor, parcel)
    fee_fen = order.fee_fen if order else parcel.fee_fen
    context = {
        "parcel": parcel,
        "pickup_text": _local(parcel.pickup_by, parcel.origin.time_zone),
        "deliver_text": _local(parcel.deliver_by, parcel.destination.time_zone),
        "price": "" if fee_fen is None else yuan(fee_fen),
        "order": order,
        "is_booked": True,
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


def _to(actor: Actor, request: ActorRequest) -> dict[str, Any]:
    """The city of the saved recipient to whom a parcel is quoted, and who it is."""
    recipients = SavedRecipient.objects.visible_to(actor).select_related("city")
    recipient = recipients.filter(pk=read_number(request.GET.get("to", ""))).first()
    return {"to": recipient.pk, "destination": full_name(recipient.city)} if recipient else {}


def _initial(actor: Actor) -> dict[str, Any]:
    default = _addresses(actor).first()
    return {"pickup_address": default.pk if default else None}


def _quote_for(actor: Actor, form: QuoteForm, *, is_chosen: bool = False) -> Quote | None:
    """The quote for a form; None, with errors on the form, if there is none.

    Once an offer is chosen, a ready time that passes means "now": minutes go by while one types.
    """
    if not form.is_valid():
        return None
    data, now = form.cleaned_data, timezone.now()
    ready_at = data["ready_at"] or now
    request = QuoteRequest(
        origin=data["origin"],
        destination=data["destination"],
        weight_g=max(data["weights_g"]),
        weights_g=data["weights_g"],
        ready_at=max(ready_at, now) if is_chosen else ready_at,
        tier=data["tier"],
        declared_value_fen=data["declared_value"] or None,
    )
    try:
        return quote(actor=actor, request=request, at=now)
    except InvalidInput as error:
        _add_errors(form, error)
        return None


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
    return date_text(local_clock(moment, zone), "MOMENT_FORMAT") if moment else ""
