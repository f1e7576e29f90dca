"""Pages of a merchant's pickup addresses."""

from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability, OrganisationKind
from alliance.database.written_once import WrittenOnce
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.portal.undo import offer_undo
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.bookings.services.addresses import (
    delete_pickup_address,
    restore_pickup_address,
    save_pickup_address,
)
from parcels.models import PickupAddress
from parcels.portal.booking_forms import PickupAddressForm


@require_safe
@login_required
def address_list(request: ActorRequest) -> HttpResponse:
    """List the merchant's pickup addresses."""
    # No paging: a merchant enters these by hand, so they are few.
    context = {"addresses": _ADDRESSES.rows(_merchant(request).tenant_id)}
    return render(request, "parcels/address_list.html", context)


def _addresses_of(merchant_id: int) -> QuerySet[PickupAddress]:
    merchant = Actor(organisation_kind=OrganisationKind.MERCHANT, organisation_id=merchant_id)
    addresses = PickupAddress.objects.visible_to(merchant).select_related("city")
    return addresses.order_by("-is_default", "name")


_ADDRESSES: Final = WrittenOnce(_addresses_of)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def address_add(request: ActorRequest) -> HttpResponse:
    return _edit(request, PickupAddress())


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def address_edit(request: ActorRequest, address_id: int) -> HttpResponse:
    """Change an address."""
    addresses = PickupAddress.objects.visible_to(_merchant(request)).select_related("city")
    if request.method == "POST":
        # What the form was opened with is compared with what is saved: nobody may change it in between.
        addresses = addresses.select_for_update(of=("self",))
    address = addresses.filter(pk=address_id).first()
    if address is None:
        raise NotFound
    return _edit(request, address)


@require_POST
@login_required
def address_delete(request: ActorRequest, address_id: int) -> HttpResponse:
    """Remove an address at once; the message brings it back."""
    address = delete_pickup_address(actor=_merchant(request), address_id=address_id)
    text = _("The address “%(name)s” was removed.") % {"name": address.name}
    offer_undo(request, text, "parcels:address_restore", address_id)
    return redirect("parcels:address_list")


@require_POST
@login_required
def address_restore(request: ActorRequest, address_id: int) -> HttpResponse:
    """Bring a removed address back."""
    try:
        address = restore_pickup_address(actor=_merchant(request), address_id=address_id)
        messages.success(request, _("The address “%(name)s” is back.") % {"name": address.name})
    except Conflict as error:
        messages.error(request, error.detail)
    return redirect("parcels:address_list")


def _edit(request: ActorRequest, address: PickupAddress) -> HttpResponse:
    actor, is_new = _merchant(request), address.pk is None
    form = PickupAddressForm(request.POST or None, instance=address)
    if request.method == "POST" and form.is_valid() and _save(actor, form, None if is_new else address.pk):
        messages.success(request, _("The address was saved."))
        return redirect("parcels:address_list")
    context = {"form": form, "is_new": is_new}
    return render(request, "parcels/address_form.html", context, status=422 if form.errors else 200)


def _save(actor: Actor, form: PickupAddressForm, address_id: int | None) -> bool:
    data = form.cleaned_data
    try:
        save_pickup_address(
            actor=actor,
            address_id=address_id,
            city=data["city"],
            is_default=data["is_default"],
            texts=data,
        )
    except InvalidInput as error:
        for problem in error.errors:
            form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        return False
    return True


def _merchant(request: ActorRequest) -> Actor:
    actor = request.actor
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    return actor
