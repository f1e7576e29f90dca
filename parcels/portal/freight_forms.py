"""Forms of freight: a surcharge, a payment, and taking one back."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from slas.promises.prices import InvalidAmount, fen_from_yuan


class SignedPriceField(forms.CharField):
    """An amount in yuan, which may be negative, returned in fen."""

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").strip().replace("\N{MINUS SIGN}", "-")
        if not text:
            return None
        try:
            return -fen_from_yuan(text[1:]) if text.startswith("-") else fen_from_yuan(text)
        except InvalidAmount as error:
            raise forms.ValidationError(str(error), code=error.code) from None


class SurchargeForm(forms.Form):
    merchant = forms.CharField(
        label=_("Merchant"),
        max_length=80,
        help_text=_("Its id, as below its name in the list above."),
    )
    amount = SignedPriceField(
        label=_("Amount in yuan"), help_text=_("Negative to take something off: -12.50.")
    )
    reason = forms.CharField(label=_("Reason"), max_length=200)
    number = forms.CharField(label=_("Tracking number"), max_length=20, required=False)


class PaymentForm(forms.Form):
    settled_on = forms.DateField(
        label=_("Day of the payment"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    reference = forms.CharField(label=_("Reference of the payment"), max_length=80, required=False)
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class UndoForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=200)
