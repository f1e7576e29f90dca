"""The page of a merchant's contact."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from alliance.choices import Capability
from alliance.errors import InvalidInput, NotFound, NotPermitted
from alliance.members.services.contacts import contact_of
from alliance.portal.forms import add_service_errors
from alliance.tenancy import require
from alliance.web.edit_forms import EditForm
from alliance.web.requests import ActorRequest
from parcels.bookings.services.merchants import CONTACT, change_merchant
from parcels.models import Merchant


class MerchantContactForm(EditForm):
    """The person to ask about parcels."""

    contact_name = forms.CharField(label=gettext_lazy("Contact person"), required=False, max_length=120)
    contact_phone = forms.CharField(
        label=gettext_lazy("Phone"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def company_contact(request: ActorRequest) -> HttpResponse:
    """Change the contact at once."""
    actor = request.actor
    require(actor, Capability.MANAGE_KEYS)
    if not actor.is_merchant:
        raise NotPermitted
    merchants = Merchant.objects.filter(pk=actor.organisation_id or 0)
    if request.method == "POST":
        merchants = merchants.select_for_update(of=("self",), no_key=True)
    merchant = merchants.first()
    if merchant is None:
        raise NotFound
    contact = contact_of(merchant.pk)
    current = {name: contact[name] for name in CONTACT}
    form = MerchantContactForm(request.POST if request.method == "POST" else None, current=current)
    if request.method == "POST" and form.is_valid():
        try:
            change_merchant(actor=actor, merchant_id=merchant.pk, values=form.cleaned_data)
            messages.success(request, _("The contact was changed."))
            return redirect("parcels:company_contact")
        except InvalidInput as error:
            add_service_errors(form, error)
    return render(request, "parcels/company_contact.html", {"form": form}, status=422 if form.errors else 200)
