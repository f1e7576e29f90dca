"""The admin's own change forms write over nobody's change unseen, as forms of the portal do not."""

from typing import Any

from django import forms
from django.db import connection
from django.forms.models import ModelChoiceField, model_to_dict
from django.http import HttpRequest

from alliance.web.edit_forms import OpenedWith
from alliance.wording import listed


class ComparedForm(OpenedWith, forms.ModelForm):  # type: ignore[type-arg]
    """A model's form that is refused once if the row was changed since it was opened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        row, first_values = kwargs.get("instance"), dict(kwargs.get("initial") or {})
        meta = self._meta
        stored = model_to_dict(row, meta.fields, meta.exclude) if row and row.pk else {}
        super().__init__(*args, **kwargs, current={name: _keys_of(value) for name, value in stored.items()})
        # The audit words the rows themselves, and a form that adds has nothing to compare.
        self.initial = {**stored, **first_values} if stored else first_values

    def _means(self, name: str, one: Any, other: Any) -> bool:
        if isinstance(self.fields[name], ModelChoiceField):
            return self._keys(one) == self._keys(other)
        return super()._means(name, one, other)

    def _shown(self, name: str, value: Any) -> str:
        field = self.fields[name]
        if isinstance(field, ModelChoiceField):
            rows: list[Any] = list(field.queryset.filter(pk__in=self._keys(value)))  # type: ignore[union-attr]
            return listed(map(str, rows))
        return super()._shown(name, value)

    @staticmethod
    def _keys(value: Any) -> set[str]:
        values = value if isinstance(value, (list, tuple)) else [value]
        # What was typed instead of a key is refused by the field itself.
        return {str(item) for item in values if str(item).isdecimal()}


def _keys_of(value: Any) -> Any:
    return [row.pk for row in value] if isinstance(value, list) else value


class LockedMixin:
    """Locks the row of a request that changes it, within its transaction.

    Of two who save at once, the second waits and is compared with what the first saved.
    """

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        if row is None or request.method != "POST" or not connection.in_atomic_block:
            return row
        rows = self.model._default_manager.select_for_update(of=("self",), no_key=True)  # type: ignore[attr-defined]
        if rows.filter(pk=row.pk).first() is None:
            return None
        return super().get_object(request, object_id, from_field)  # type: ignore[misc]


class ComparedMixin(LockedMixin):
    """For every admin whose own form changes rows."""

    form = ComparedForm
    change_form_before_template = "admin/alliance/opened_with.html"
