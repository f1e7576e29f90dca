"""The form field of a whole number, as people write it."""

from typing import Any

from django import forms

from alliance.numbers import whole_number


class WholeNumberField(forms.IntegerField):
    """A whole number: 25000, 25,000 or ２５０００. A text field: number fields drop a comma silently."""

    widget = forms.TextInput

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.widget.attrs.setdefault("inputmode", "numeric")

    def to_python(self, value: Any) -> int | None:
        number = whole_number(value) if isinstance(value, str) else None
        return number if number is not None else super().to_python(value)
