"""The form field of a city, for forms and filters."""

from typing import Any

from django import forms

from alliance.cities import MOST_LETTERS, UnknownCity, resolve_city
from alliance.models import City


class CityField(forms.CharField):
    """A city by its code or by any of its names."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": MOST_LETTERS, **options})

    def clean(self, value: Any) -> City | None:
        text = super().clean(value)
        try:
            return resolve_city(text) if text else None
        except UnknownCity as unknown:
            raise forms.ValidationError(str(unknown), code=unknown.code) from None
