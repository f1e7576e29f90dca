"""The form field of an amount of money."""

from typing import Any

from django import forms

from slas.promises.prices import InvalidAmount, fen_from_yuan


class PriceField(forms.CharField):
    """A price entered in yuan and returned in fen."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            return fen_from_yuan(text)
        except InvalidAmount as error:
            raise forms.ValidationError(str(error), code=error.code) from None
