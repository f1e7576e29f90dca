"""Forms of offers."""

from django import forms
from django.utils.translation import gettext_lazy as _

from alliance.city_fields import CityField
from alliance.number_fields import WholeNumberField
from alliance.portal.forms import FilterForm
from alliance.web.edit_forms import OpenedWith
from slas.listed import TIERS
from slas.models import ServiceTier
from slas.price_fields import PriceField


class OfferTermsForm(forms.Form):
    """The fields of an offer that may change."""

    price = PriceField(
        label=_("Price in yuan"),
        help_text=_("For the first weight band; heavier parcels pay the tier's surcharge."),
    )
    daily_capacity = WholeNumberField(label=_("Parcels a day"), min_value=0, max_value=10_000_000)
    active = forms.BooleanField(label=_("On sale"), required=False, initial=True)


class OfferChangeForm(OpenedWith, OfferTermsForm):
    """The form that changes an offer."""


class OfferForm(OfferTermsForm):
    """A new offer, with its lane and tier."""

    tier = forms.ModelChoiceField(ServiceTier.objects.filter(active=True), label=_("Tier"), empty_label=None)
    origin = CityField(label=_("From"), help_text=_("City name or code, such as Hangzhou, 杭州 or CN-HGH."))
    destination = CityField(label=_("To"))

    field_order = ("tier", "origin", "destination", "price", "daily_capacity", "active")


class OfferFilterForm(FilterForm):
    """The filter of the list of offers."""

    tier = forms.ChoiceField(
        choices=lambda: [("", _("All tiers")), *((str(tier.pk), tier.name) for tier in TIERS.every())],
        required=False,
        label=_("Tier"),
        error_messages={"invalid_choice": forms.ModelChoiceField.default_error_messages["invalid_choice"]},
    )
    city = forms.CharField(
        required=False,
        max_length=80,
        label=_("City"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("From or to")}),
    )
