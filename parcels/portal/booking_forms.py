"""Forms of quoting and booking. They parse the input; the services check the rules."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django import forms
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.cities import full_name
from alliance.city_fields import CityField
from alliance.clocks import wall_clock
from alliance.models import City
from alliance.numbers import whole_number
from alliance.phones import LENGTH as PHONE_LENGTH
from alliance.texts import plain
from alliance.web.edit_forms import OpenedWith
from parcels.bookings.rules import ADDRESS_LENGTH, MOST_PIECES, NAME_LENGTH, REFERENCE_LENGTH
from parcels.models import PickupAddress
from slas.choices import TierCode
from slas.price_fields import PriceField

_GRAMS = 1000
_MOST_KILOGRAMS = 1_000
_SIGNS = str.maketrans("×＊*X", "xxxx")


class SuggestedCityField(CityField):
    """A city by any name, with suggestions during input; without JavaScript a plain text field."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {
            **super().widget_attrs(widget),
            "autocomplete": "off",
            "placeholder": gettext_lazy("Hangzhou, 杭州 or CN-HGH"),
            "hx-get": reverse_lazy("parcels:city_options"),
            "hx-trigger": "input changed delay:200ms, focus once",
            "hx-sync": "this:replace",
        }

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        bound = super().get_bound_field(form, field_name)
        options = f"{field_name}-options"
        self.widget.attrs.update({"list": options, "hx-target": f"#{options}"})
        return bound


class WeightsField(forms.CharField):
    """The weights of an order's parcels in kilograms, such as `1.2 + 3 x 0.8`, as grams."""

    def to_python(self, value: Any) -> Any:
        text = plain(super().to_python(value) or "").translate(_SIGNS)
        weights: list[int] = []
        for part in text.split("+") if text.strip() else ():
            count, _times, weight = part.rpartition("x")
            weights += [self._grams(weight)] * self._count(count)
            if len(weights) > MOST_PIECES:
                raise forms.ValidationError(self._too_many())
        return tuple(weights)

    def _grams(self, text: str) -> int:
        try:
            kilograms = Decimal(text.strip().lower().removesuffix("kg").strip())
        except InvalidOperation:
            kilograms = Decimal(0)
        if not (kilograms.is_finite() and 0 < kilograms <= _MOST_KILOGRAMS):
            message = _("Enter a weight in kilograms such as 1.2; of several parcels 1.2 + 0.8, or 3 x 1.2.")
            raise forms.ValidationError(message)
        return max(round(kilograms * _GRAMS), 1)

    def _count(self, text: str) -> int:
        if not text.strip():
            return 1
        count = whole_number(text.strip())
        if count is None or not 1 <= count <= MOST_PIECES:
            raise forms.ValidationError(self._too_many())
        return count

    def _too_many(self) -> str:
        return _("An order has 1 to %(most)d parcels.") % {"most": MOST_PIECES}


class QuoteForm(forms.Form):
    """The parcel to quote: origin, destination, weight and ready time."""

    pickup_address = forms.ModelChoiceField(
        PickupAddress.objects.none(),
        label=gettext_lazy("Pickup address"),
        required=False,
        empty_label=gettext_lazy("Another address"),
    )
    origin = SuggestedCityField(label=gettext_lazy("From"), required=False)
    destination = SuggestedCityField(label=gettext_lazy("To"))
    weight = WeightsField(
        label=gettext_lazy("Weight (kg)"),
        max_length=600,
        help_text=gettext_lazy("Several parcels of one order: 1.2 + 0.8, or 3 x 1.2."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "1.2"}),
    )
    ready_at = forms.DateTimeField(
        label=gettext_lazy("Ready for pickup"),
        required=False,
        help_text=gettext_lazy("Local time at the origin; leave empty for now."),
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
    )
    declared_value = PriceField(
        label=gettext_lazy("Declared value in yuan"),
        required=False,
        help_text=gettext_lazy(
            "What the courier owes for each parcel that it loses. Costs nothing; empty: the usual amount."
        ),
    )
    tier = forms.ChoiceField(
        label=gettext_lazy("Service"),
        required=False,
        choices=[("", gettext_lazy("All services")), *TierCode.choices],
    )
    # The number of a saved recipient: it goes along to the booking.
    to = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, addresses: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.addresses = list(addresses)
        field = self.fields["pickup_address"]
        field.queryset = addresses  # type: ignore[attr-defined]
        if not self.addresses:
            del self.fields["pickup_address"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        address = cleaned.get("pickup_address")
        origin_city = cleaned.get("origin")
        if address and origin_city and origin_city != address.city:
            message = _("Your pickup address is in %(city)s. Choose “Another address”, or leave this empty.")
            self.add_error("origin", message % {"city": address.city.name})
        origin = address.city if address else origin_city
        if origin is None and "origin" not in self.errors:
            self.add_error("origin", _("Enter where the parcel is picked up."))
        cleaned["origin"] = origin
        if cleaned.get("ready_at") and origin:
            cleaned["ready_at"] = _there(cleaned["ready_at"], origin)
        cleaned["weights_g"] = cleaned.get("weight") or ()
        return cleaned


class RecipientForm(forms.Form):
    """The recipient and the merchant's reference."""

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
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=ADDRESS_LENGTH,
        help_text=gettext_lazy("Street, building, unit and room, without the city."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reference = forms.CharField(
        label=gettext_lazy("Your reference"),
        max_length=REFERENCE_LENGTH,
        required=False,
        help_text=gettext_lazy("An order number to find the parcel by."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    save = forms.BooleanField(label=gettext_lazy("Save to the address book"), required=False)


class PickupAddressForm(OpenedWith, forms.ModelForm):  # type: ignore[type-arg]
    """A pickup address of the merchant."""

    city = SuggestedCityField(label=gettext_lazy("City"))

    class Meta:
        model = PickupAddress
        fields = ("name", "city", "address", "contact_name", "contact_phone", "is_default")
        labels: ClassVar[dict[str, Any]] = {"is_default": gettext_lazy("Suggest this address for new quotes")}
        help_texts: ClassVar[dict[str, Any]] = {
            "name": gettext_lazy("Your name for it: main warehouse, shop."),
        }

    def __init__(self, *args: Any, instance: PickupAddress, **kwargs: Any) -> None:
        current = {}
        if instance.pk:
            current = {name: getattr(instance, name) for name in self.Meta.fields}
            current["city"] = full_name(instance.city)
        super().__init__(*args, current=current, instance=instance, **kwargs)

    def validate_constraints(self) -> None:
        """Skip the check for one default: the service unsets the other address's default."""


def _there(moment: datetime, city: City) -> datetime:
    # The input is local time of the origin, not of the page.
    return wall_clock(moment.date(), moment.time(), city.time_zone)
