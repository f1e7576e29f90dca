"""A courier's own offers: list, edit, and download as CSV."""

import csv
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.cities import search_cities
from alliance.cursors import Order, number, word
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.portal.forms import add_service_errors
from alliance.portal.paging import Listing, Sort
from alliance.portal.undo import offer_undo
from alliance.portal.view_lists import OwnViews
from alliance.templatetags.form_owner import hidden_fields
from alliance.tenancy import Actor, require
from alliance.web.addresses import address
from alliance.web.requests import ActorRequest
from alliance.web.stencils import filled
from alliance.wording import money_text
from slas.listed import LANE, with_names
from slas.models import CapacityDay, Offer
from slas.offers.querysets import OfferQuerySet
from slas.offers.services import offers
from slas.offers.services.offer_rows import FORMAT
from slas.portal.offer_forms import OfferChangeForm, OfferFilterForm, OfferForm, OfferTermsForm
from slas.promises.prices import yuan

PAGE = 50
_LANE: Final = (("origin__name_en", word), ("destination__name_en", word))
_TIER: Final = (("tier__position", number),)
# A courier has thousands of offers, not billions: these are sorted.
LIST: Final = Listing(
    "offers",
    {
        "lane": Sort(_lazy("Lane"), Order((*_LANE, *_TIER, ("pk", number))), ascends_first=True),
        "tier": Sort(_lazy("Tier"), Order((*_TIER, *_LANE, ("pk", number))), ascends_first=True),
        "price": Sort(_lazy("Price"), Order((("price_fen", number), ("pk", number))), ascends_first=True),
    },
    has_views=True,
)


@require_safe
@login_required
def offer_list(request: ActorRequest) -> HttpResponse:
    """List the courier's offers with today's reservations."""
    actor = request.actor
    require(actor, Capability.VIEW_OFFERS)
    views = OwnViews.of(actor, "offers")
    if url := views.default_url(request.GET):
        return redirect(url)
    form = OfferFilterForm(request.GET)
    own_offers = Offer.objects.visible_to(actor)
    filtered = _filter(form.among(own_offers), form.filters)
    asked = LIST.asked(request, form.params)
    page = LIST.page(filtered, asked, size=PAGE, complete=partial(with_names, names=LANE))
    days = CapacityDay.objects.filter(offer__in=[offer.pk for offer in page.rows], date=timezone.localdate())
    reserved = dict(days.values_list("offer_id", "reserved"))
    may_change = actor.can(Capability.MANAGE_OFFERS)
    hidden = {"fields": hidden_fields(get_token(request), actor), "query": request.GET.urlencode()}
    context = {
        "offers": page.rows,
        "rows": [_row(offer, reserved.get(offer.pk, 0), hidden if may_change else {}) for offer in page.rows],
        "form": form,
        "any": bool(page.rows) or own_offers.exists(),
        "may_change": may_change,
        "views": views.chips(asked),
        **page.context,
    }
    return render(request, "slas/offer_list.html", context, status=max(form.status, page.status))


def _row(offer: Offer, reserved: int, form: Mapping[str, str]) -> SafeString:
    """A row of the list; `form` is what its button sends, if it has one."""
    origin, destination = offer.origin, offer.destination
    texts = {
        "origin": origin.name,
        "destination": destination.name,
        "lane": f"{origin.code} → {destination.code}",
        "tier": offer.tier.name,
        "price": money_text(yuan(offer.price_fen)),
        "places": f"{reserved:,} / {offer.daily_capacity:,}",
        **form,
    }
    if form:
        texts["sale_url"] = address("slas:offer_sale", offer.pk)
        texts["edit_url"] = address("slas:offer_edit", offer.pk)
    return filled("slas/offer_row.html", texts, {"active": offer.active, "may_change": bool(form)})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def offer_create(request: ActorRequest) -> HttpResponse:
    """Create an offer."""
    actor = request.actor
    require(actor, Capability.MANAGE_OFFERS)
    form = OfferForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _try_to_create(actor, form):
        messages.success(
            request, _("The offer is on sale.") if form.cleaned_data["active"] else _("The offer was saved.")
        )
        return redirect("slas:offer_list")
    return render(request, "slas/offer_form.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def offer_edit(request: ActorRequest, offer_id: int) -> HttpResponse:
    """Change price, capacity, or whether it is on sale."""
    actor = request.actor
    require(actor, Capability.MANAGE_OFFERS)
    own_offers = Offer.objects.visible_to(actor).select_related("tier", "origin", "destination")
    if request.method == "POST":
        # What the form was opened with is compared with what is saved: nobody may change it in between.
        own_offers = own_offers.select_for_update(of=("self",), no_key=True)
    offer = own_offers.filter(pk=offer_id).first()
    if offer is None:
        raise NotFound
    current = {"price": yuan(offer.price_fen), "daily_capacity": offer.daily_capacity, "active": offer.active}
    form = OfferChangeForm(request.POST or None, current=current)
    if request.method == "POST" and form.is_valid() and _try_to_change(actor, offer_id, form):
        messages.success(request, _("The offer was changed. Existing bookings keep their price."))
        return redirect("slas:offer_list")
    context = {"form": form, "offer": offer}
    return render(request, "slas/offer_form.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def offer_sale(request: ActorRequest, offer_id: int) -> HttpResponse:
    """Take an offer off sale, or put it on sale, at once; the message takes it back."""
    active, query = request.POST.get("active") == "1", request.POST.get("query", "")
    back = f"{reverse('slas:offer_list')}?{query}".rstrip("?")
    try:
        offer = offers.put_on_sale(actor=request.actor, offer_id=offer_id, active=active)
    except InvalidInput as error:
        messages.error(request, error.errors[0].message)
        return redirect(back)
    text = _("%(lane)s is on sale.") if active else _("%(lane)s is off sale. Bookings keep their price.")
    lane = f"{offer.origin.name} → {offer.destination.name}, {offer.tier.name}"
    undo = {"active": "0" if active else "1", "query": query}
    offer_undo(request, text % {"lane": lane}, "slas:offer_sale", offer.pk, **undo)
    return redirect(back)


@require_safe
@login_required
def offer_download(request: ActorRequest) -> HttpResponse:
    """Download the courier's offers in the format of the upload, to edit in a spreadsheet."""
    actor = request.actor
    require(actor, Capability.VIEW_OFFERS)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="offers.csv"'
    response.write("\ufeff")
    writer = csv.writer(response)
    writer.writerow(FORMAT.header())
    own_offers = (
        Offer.objects.visible_to(actor).select_related("tier", "origin", "destination").order_by("pk")
    )
    for offer in own_offers:
        lane = (offer.tier.code, offer.origin.code, offer.destination.code)
        writer.writerow([*lane, yuan(offer.price_fen), offer.daily_capacity, "yes" if offer.active else "no"])
    return response


def _filter(offers_shown: OfferQuerySet, filters: Mapping[str, Any]) -> OfferQuerySet:
    if "tier" in filters:
        offers_shown = offers_shown.filter(tier=filters["tier"])
    if "city" in filters:
        cities = list(search_cities(filters["city"])[:50].values_list("pk", flat=True))
        offers_shown = offers_shown.filter(Q(origin__in=cities) | Q(destination__in=cities))
    return offers_shown


def _try_to_create(actor: Actor, form: OfferForm) -> bool:
    data = dict(form.cleaned_data)
    terms = offers.OfferTerms(price_fen=data.pop("price"), **data)
    try:
        offers.create_offer(actor=actor, terms=terms)
    except InvalidInput as error:
        add_service_errors(form, error)
    except Conflict as error:
        form.add_error(None, error.detail)
    return form.is_valid()


def _try_to_change(actor: Actor, offer_id: int, form: OfferTermsForm) -> bool:
    data = dict(form.cleaned_data)
    try:
        offers.change_offer(actor=actor, offer_id=offer_id, price_fen=data.pop("price"), **data)
    except InvalidInput as error:
        add_service_errors(form, error)
    return form.is_valid()
