"""Pages of returns: issue one, what recipients asked for, what they may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.cursors import Order, moment, number
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.portal.forms import FilterForm, add_service_errors
from alliance.portal.paging import Listing, Sort
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from couriers.homes.lists import at_homes
from parcels.choices import ParcelSource, ParcelStatus, ReturnState
from parcels.models import Parcel, ReturnRequest
from parcels.portal.quotes import OfferView, TierView, expected_of, tier_views
from parcels.portal.return_forms import DeclineForm, IssueForm, PolicyForm
from parcels.returns.queries import request_of, return_addresses
from parcels.returns.services.issuing import ReturnOrder, issue_return, refuse_return
from parcels.returns.services.policies import PolicyTerms, read_policy, save_policy
from parcels.returns.services.requests import decline_request
from slas.listed import first_with_names
from slas.offers.quotes import Quote, QuoteRequest, quote

PAGE = 50
LIST = Listing(
    "return_requests",
    {"requested": Sort(gettext_lazy("Requested"), Order((("requested_at", moment), ("pk", number))))},
)
# What a merchant agrees on, as it travels in the address of the page.
_LINK = ("returned_by_id", "return_cancelled_at")
_AGREED = ("courier", "service", "price", "pickup_by", "deliver_by")


class RequestFilterForm(FilterForm):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All")), *ReturnState.choices],
    )


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request, with what its parcel is called."""

    request: ReturnRequest
    reference: str
    # "" until a return was issued.
    returned_by: str
    is_cancelled: bool


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def return_issue(request: ActorRequest, number: str) -> HttpResponse:
    """Compare what brings a parcel back, and issue its return. What is agreed on is in the address."""
    actor = _merchant(request)
    page = _IssuePage(request, actor, _parcel(actor, number))
    if request.method != "POST":
        return page.answer()
    if page.chosen is None or page.expected is None:
        return page.answer(_("Check the price and the delivery time, then issue the return again."))
    try:
        # A savepoint: after a refusal the page is shown in the same transaction.
        with transaction.atomic():
            booked = issue_return(
                actor=actor,
                parcel_id=page.parcel.pk,
                order=page.order,
                at=timezone.now(),
                source=ParcelSource.PORTAL,
                # Whoever issues it because of a request means the one that the page showed.
                is_asked=request.POST.get("asked") == ReturnState.REQUESTED,
            )
    except Conflict as error:
        page.quote_again()
        return page.answer(error.detail)
    except InvalidInput as error:
        return page.answer(" ".join(each.message for each in error.errors) or error.detail)
    if page.parcel.status == ParcelStatus.DELIVERED:
        text = _("The return is booked. Send the recipient its label, or let them fetch it.")
    else:
        text = _("The return is booked. The courier that has the parcel hands it over.")
    messages.success(request, text)
    return redirect("parcels:parcel_detail", booked.number)


@require_safe
@login_required
def return_list(request: ActorRequest) -> HttpResponse:
    """List what recipients asked for."""
    return _list_page(request, _merchant(request))


@require_POST
@login_required
def return_decline(request: ActorRequest, number: str) -> HttpResponse:
    """Decline a request, with the reason that the recipient reads."""
    actor = _merchant(request)
    form = DeclineForm(request.POST)
    parcel_id = _parcel_id(number)
    if form.is_valid():
        try:
            decline_request(
                actor=actor, parcel_id=parcel_id, answer=form.cleaned_data["answer"], now=timezone.now()
            )
        except InvalidInput as error:
            add_service_errors(form, error)
        except Conflict as error:
            messages.error(request, error.detail)
            return redirect("parcels:return_list")
        else:
            messages.success(request, _("Declined. The tracking page says why."))
            return redirect("parcels:return_list")
    elif request_of(parcel_id) is None:
        raise NotFound
    return _IssuePage(request, actor, _parcel(actor, number)).answer(decline_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def return_policy(request: ActorRequest) -> HttpResponse:
    """Show and change what recipients may ask for."""
    actor = _merchant(request)
    policy, status = read_policy(actor=actor), 200
    form = PolicyForm(
        request.POST if request.method == "POST" else None,
        initial={
            "is_allowed": policy.is_allowed,
            "window_days": policy.window_days,
            "reasons": list(policy.reasons),
            "note": policy.note,
        },
    )
    if request.method == "POST":
        require(actor, Capability.ALLOCATE)
        status = 422
        if form.is_valid():
            try:
                save_policy(actor=actor, terms=PolicyTerms(**form.cleaned_data))
            except InvalidInput as error:
                add_service_errors(form, error)
            else:
                messages.success(request, _("Saved. Tracking pages follow within a minute."))
                return redirect("parcels:return_policy")
    context = {"form": form, "may_change": actor.can(Capability.ALLOCATE)}
    return render(request, "parcels/return_policy.html", context, status=status)


class _IssuePage:
    """The offers for a parcel's way back, or the one that was chosen."""

    def __init__(self, request: ActorRequest, actor: Actor, parcel: Parcel) -> None:
        self._request, self._actor, self.parcel = request, actor, parcel
        self._refusal = refuse_return(actor=actor, parcel=parcel)
        self._addresses = return_addresses(actor)
        self._url = reverse("parcels:return_issue", args=[parcel.number])
        data = request.GET if "address" in request.GET else None
        self.form = IssueForm(data, addresses=self._addresses, parcel=parcel)
        self.quote_again()

    def quote_again(self) -> None:
        self.quote = self._quoted()
        self.tiers: list[TierView] = [
            TierView(tier.name, [self._linked(offer) for offer in tier.offers], tier.problem)
            for tier in (tier_views(self.quote, self._request.GET) if self.quote else [])
        ]
        key = (self._request.GET.get("courier"), self._request.GET.get("service"))
        offers = [offer for tier in self.tiers for offer in tier.offers]
        self.chosen = next((offer for offer in offers if (offer.courier, offer.service) == key), None)

    @property
    def expected(self) -> dict[str, Any] | None:
        expected = expected_of(self._request.GET, parcels=1)
        return expected[0] if expected else None

    @property
    def order(self) -> ReturnOrder:
        query, given = self._request.GET, self.form.given
        return ReturnOrder(
            tier=query.get("service", ""),
            courier=query.get("courier", ""),
            address_id=given.address.pk if given else None,
            weight_g=given.weight_g if given else None,
            **(self.expected or {}),
        )

    def answer(self, problem: str = "", decline_form: DeclineForm | None = None) -> HttpResponse:
        given = self.form.given
        if self._request.GET.get("courier") and self.chosen is None and not problem:
            problem = _("This courier no longer offers this service between these cities.")
        context = {
            "parcel": self.parcel,
            "parcel_url": reverse("parcels:parcel_detail", args=[self.parcel.number]),
            "refusal": self._refusal.detail if self._refusal else "",
            "form": self.form,
            "has_addresses": bool(self._addresses),
            "quote": self.quote,
            "tiers": self.tiers,
            "chosen": self.chosen,
            "changed": self._has_changed(),
            "offers_url": self._address(),
            "given": given,
            "asked": request_of(self.parcel.pk),
            "decline_form": decline_form or DeclineForm(),
            "problem": problem,
        }
        is_wrong = decline_form is not None or (self.form.is_bound and not self.form.is_valid())
        status = 409 if problem else 422 if is_wrong else 200
        return render(self._request, "parcels/return_issue.html", context, status=status)

    def _quoted(self) -> Quote | None:
        given = self.form.given
        if given is None or self._refusal is not None:
            return None
        now = timezone.now()
        asked = QuoteRequest(
            origin=self.parcel.destination,
            destination=given.address.city,
            weight_g=given.weight_g,
            ready_at=now,
            reference=self.parcel.reference,
        )
        try:
            return quote(actor=self._actor, request=asked, at=now)
        except InvalidInput as error:
            self.form.refuse(error)
            return None

    def _linked(self, offer: OfferView) -> OfferView:
        return replace(offer, book_url=self._address(**offer.agreed))

    def _address(self, **agreed: str) -> str:
        """The address of this page with the present choices, and with an offer's terms."""
        params = self._request.GET.copy()
        for name in _AGREED:
            params.pop(name, None)
        for name, value in ({**self.form.params, **agreed}).items():
            params[name] = value
        return f"{self._url}?{params.urlencode()}"

    def _has_changed(self) -> bool:
        query = self._request.GET
        return self.chosen is not None and any(
            value != query.get(name) for name, value in self.chosen.agreed.items()
        )


def _list_page(request: ActorRequest, actor: Actor) -> HttpResponse:
    form = RequestFilterForm(request.GET)
    filters = form.filters
    rows = form.among(ReturnRequest.objects.visible_to(actor)).filter(**filters)
    page = LIST.page(rows, LIST.asked(request, form.params), size=PAGE, narrow=at_homes)
    context = {
        "form": form,
        "asked": filters,
        "rows": _rows(actor, page.rows),
        "is_allowed": read_policy(actor=actor).is_allowed,
        **page.context,
    }
    return render(request, "parcels/return_list.html", context, status=max(form.status, page.status))


def _rows(actor: Actor, requests: Sequence[ReturnRequest]) -> list[RequestRow]:
    ids = [request.parcel_id for request in requests]
    parcels = Parcel.objects.visible_to(actor).filter(pk__in=ids)
    known = {pk: more for pk, *more in parcels.values_list("pk", "reference", *_LINK)}
    rows = []
    for request in requests:
        reference, back_id, cancelled_at = known.get(request.parcel_id, ("", None, None))
        number = tracking_number(back_id) if back_id else ""
        rows.append(RequestRow(request, reference, number, cancelled_at is not None))
    return rows


def _merchant(request: ActorRequest) -> Actor:
    actor = request.actor
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    return actor


def _parcel(actor: Actor, number: str) -> Parcel:
    parcel = first_with_names(Parcel.objects.visible_to(actor).filter(pk=_parcel_id(number)))
    if parcel is None:
        raise NotFound
    return parcel


def _parcel_id(number: str) -> int:
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None
