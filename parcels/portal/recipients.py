"""Pages of a merchant's address book: the list, one recipient, suggestions for a booking."""

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.cities import full_name
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.models import City
from alliance.phones import LENGTH as PHONE_LENGTH
from alliance.portal.forms import FilterForm, add_service_errors
from alliance.portal.paging import newest_first
from alliance.tenancy import Actor
from alliance.web.requests import ActorRequest
from parcels.bookings.rules import ADDRESS_LENGTH, NAME_LENGTH
from parcels.models import SavedRecipient
from parcels.portal.booking_forms import SuggestedCityField
from parcels.recipients.queries import shown, suggestions
from parcels.recipients.rules import REMARK_LENGTH, Entry
from parcels.recipients.services.saving import (
    change_recipient,
    remove_recipient,
    require_keeper,
    save_recipient,
    show_recipients,
)

PAGE: Final = 50
_MOST_CITIES: Final = 2**31
LIST: Final = newest_first("recipients", pgettext_lazy("time", "Added"))


class RecipientSearchForm(FilterForm):
    """What is looked for in the address book."""

    search = forms.CharField(
        label=gettext_lazy("Name or phone"),
        required=False,
        max_length=80,
        widget=forms.SearchInput(
            attrs={"autocomplete": "off", "placeholder": gettext_lazy("Name, phone or its last four digits")}
        ),
    )


class SavedRecipientForm(forms.Form):
    """One recipient of the address book."""

    name = forms.CharField(
        label=gettext_lazy("Recipient"),
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    phone = forms.CharField(
        label=gettext_lazy("Phone"),
        max_length=PHONE_LENGTH,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "inputmode": "tel", "placeholder": "138 1234 5678"}
        ),
    )
    city = SuggestedCityField(label=gettext_lazy("City"))
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=ADDRESS_LENGTH,
        help_text=gettext_lazy("Street, building, unit and room, without the city."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    remark = forms.CharField(
        label=gettext_lazy("Remark"),
        max_length=REMARK_LENGTH,
        required=False,
        help_text=gettext_lazy("For yourself; it is on no label."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    @property
    def entry(self) -> Entry:
        return Entry.written(**self.cleaned_data)


@require_safe
@login_required
def recipient_list(request: ActorRequest) -> HttpResponse:
    """List the address book, masked; search it by name or phone."""
    actor = _keeper(request)
    form = RecipientSearchForm(request.GET)
    own = SavedRecipient.objects.visible_to(actor)
    rows = form.among(own).called(form.filters.get("search", "")).select_related("city")
    page = LIST.page(rows, LIST.asked(request, form.params), size=PAGE)
    context = {
        "form": form,
        "recipients": [recipient_row(recipient) for recipient in page.rows],
        "any": bool(page.rows) or own.exists(),
        "may_export": actor.can(Capability.EXPORT) and actor.can(Capability.UNMASK),
        **page.context,
    }
    return render(request, "parcels/recipient_list.html", context, status=max(form.status, page.status))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def recipient_add(request: ActorRequest) -> HttpResponse:
    """Add a recipient."""
    actor = _keeper(request)
    form = SavedRecipientForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                saved = save_recipient(actor=actor, entry=form.entry, at=timezone.now())
            except InvalidInput as error:
                add_service_errors(form, error)
            except Conflict as error:
                form.add_error(None, error.detail)
                status = error.status
            else:
                is_new = _("The recipient was added.")
                messages.success(
                    request, is_new if saved.is_new else _("This recipient is in your address book already.")
                )
                return redirect("parcels:recipient_list")
    return render(request, "parcels/recipient_form.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def recipient_edit(request: ActorRequest, recipient_id: int) -> HttpResponse:
    """Show a recipient masked; in full, to be changed, when that is asked for, which is audited."""
    actor = _keeper(request)
    recipient = (
        SavedRecipient.objects.visible_to(actor).select_related("city").filter(pk=recipient_id).first()
    )
    if recipient is None:
        raise NotFound
    context: dict[str, Any] = {"recipient": recipient, "shown": shown(recipient)}
    if request.method != "POST":
        context |= {"may_show": actor.can(Capability.UNMASK), "quote_url": _quote_url(recipient)}
        return render(request, "parcels/recipient_detail.html", context)
    if "show" in request.POST:
        [recipient] = show_recipients(actor=actor, recipient_ids=[recipient_id])
        names = ("name", "phone", "address", "remark")
        initial = {name: getattr(recipient, name) for name in names} | {"city": full_name(recipient.city)}
        form = SavedRecipientForm(initial=initial)
        return render(request, "parcels/recipient_form.html", {**context, "form": form})
    form = SavedRecipientForm(request.POST)
    if form.is_valid():
        try:
            change_recipient(actor=actor, recipient_id=recipient_id, entry=form.entry, at=timezone.now())
        except InvalidInput as error:
            add_service_errors(form, error)
        else:
            messages.success(request, _("The recipient was changed. Parcels booked before stay as they are."))
            return redirect("parcels:recipient_list")
    return render(request, "parcels/recipient_form.html", {**context, "form": form}, status=422)


@require_POST
@login_required
def recipient_remove(request: ActorRequest, recipient_id: int) -> HttpResponse:
    """Remove a recipient for good."""
    remove_recipient(actor=_keeper(request), recipient_id=recipient_id)
    messages.success(request, _("The recipient was removed from your address book."))
    return redirect("parcels:recipient_list")


@require_safe
@login_required
def recipient_options(request: ActorRequest) -> HttpResponse:
    """Suggest recipients in a city, masked, for what is typed on the booking form."""
    actor = _keeper(request)
    text = request.GET.get("recipient_search", "")[:80].strip()
    number = read_number(request.GET.get("city", ""))
    city = City.objects.filter(pk=number).first() if number < _MOST_CITIES else None
    found = suggestions(actor=actor, text=text, city=city) if text and city else []
    context = {"options": [recipient_row(recipient) for recipient in found], "text": text, "city": city}
    return render(request, "parcels/recipient_options.html", context)


def _keeper(request: ActorRequest) -> Actor:
    require_keeper(request.actor)
    return request.actor


def read_number(text: str) -> int:
    """A row's number; 0, which none has, for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def recipient_row(recipient: SavedRecipient) -> dict[str, Any]:
    """A recipient as a list shows it: masked."""
    return {
        "pk": recipient.pk,
        "shown": shown(recipient),
        "city": recipient.city,
        "last_used_at": recipient.last_used_at,
        "quote_url": _quote_url(recipient),
    }


def _quote_url(recipient: SavedRecipient) -> str:
    """Where a parcel to the recipient is quoted: the city is in the URL, and who it is as a number."""
    query = urlencode({"to": recipient.pk})
    return f"{reverse('parcels:quote_create')}?{query}"
