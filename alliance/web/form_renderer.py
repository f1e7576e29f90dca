"""How forms are rendered: fields do not cut what is typed into them."""

from typing import Any

from django.forms import BoundField, Widget
from django.forms.renderers import DjangoTemplates


class WholeTextField(BoundField):
    """A field without `maxlength`: browsers cut what is pasted beyond it, without a word.

    The server refuses a text that is too long, and says the limit.
    """

    def build_widget_attrs(self, attrs: dict[str, Any], widget: Widget | None = None) -> dict[str, Any]:
        return {**super().build_widget_attrs(attrs, widget), "maxlength": False}


class FormRenderer(DjangoTemplates):
    bound_field_class = WholeTextField
