"""Forms of freight: a surcharge, a payment, and taking either back."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from parcels.freight.services.settling import NOTE_LENGTH, REFERENCE_LENGTH
from parcels.freight.services.surcharges import REASON_LENGTH
from slas.promises.prices import InvalidAmount, signed_fen_from_yuan


class SignedPriceField(forms.CharField):
    """An amount in yuan, which may be negative, returned in fen."""

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").strip()
        if not text:
            return None
        try:
            return signed_fen_from_yuan(text)
        except InvalidAmount as error:
            raise forms.ValidationError(str(error), code=error.code) from None


class SurchargeForm(forms.Form):
    merchant = forms.CharField(
        label=_("Merchant"),
        max_length=80,
        # The page offers those of the month.
        widget=forms.TextInput(attrs={"list": "freight-merchants", "autocomplete": "off"}),
        help_text=_("Its id, as below its name in the list above."),
    )
    amount = SignedPriceField(
        label=_("Amount in yuan"), help_text=_("Negative to take something off: -12.50.")
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_LENGTH,
        help_text=_("Both sides read it, and it is kept: without names and phone numbers."),
    )
    tracking_number = forms.CharField(label=_("Tracking number"), max_length=20, required=False)


class PaymentForm(forms.Form):
    settled_on = forms.DateField(
        label=_("Day of the payment"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    reference = forms.CharField(
        label=_("Reference of the payment"), max_length=REFERENCE_LENGTH, required=False
    )
    note = forms.CharField(label=_("Note"), max_length=NOTE_LENGTH, required=False)


class UndoForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=REASON_LENGTH)
