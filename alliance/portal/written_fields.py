"""Fields of forms as most readers see them, empty or with a choice made: rendered once for each language.

A field passes through half a dozen templates, which takes longer than a row of most lists. What is typed is
never remembered.
"""

from collections.abc import Callable, Hashable
from datetime import date
from typing import Final

from django.conf import settings
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import get_language

# Each takes about a kilobyte.
_MOST: Final = 2_048
_fields: dict[Hashable, SafeString] = {}


def written(field: BoundField, render: Callable[[BoundField], SafeString], *how: Hashable) -> SafeString:
    """Return a field as rendered; `how` is whatever the rendering depends on beside the field."""
    # In development, templates change while they are served.
    key = None if settings.DEBUG or field.errors else _key(field)
    if key is None:
        return render(field)
    text = _fields.get((how, key))
    if text is None:
        if len(_fields) >= _MOST:
            _fields.clear()
        text = _fields[how, key] = render(field)
    return text


def _key(field: BoundField) -> Hashable:
    """Return all that a field's text depends on; None for one that is not remembered."""
    base, value = field.field, field.value()
    choices = getattr(base.widget, "choices", ())
    # The rows of a table may change.
    if hasattr(choices, "queryset"):
        return None
    options = tuple((option, _said(label)) for option, label in choices)
    is_chosen = any(value == option for option, _label in options)
    if not (value is None or value == "" or type(value) is date or is_chosen):
        return None
    key = (
        type(field.form),
        (field.html_name, field.auto_id, value, options, get_language()),
        (base.required, base.disabled, _said(base.label), _said(base.help_text)),
        (type(base.widget), tuple((name, _said(text)) for name, text in base.widget.attrs.items())),
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _said(text: object) -> object:
    return str(text) if isinstance(text, Promise) else text


def forget() -> None:
    _fields.clear()
