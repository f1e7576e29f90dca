"""Forms that change something: nobody's change is written over unseen."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core import signing
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _

FIELD = "opened_with"
_SALT = "alliance.edit_form"


class OpenedWith(forms.BaseForm):
    """A form that knows the values it was opened with.

    If they were changed meanwhile, in another tab or by a colleague, it is refused once: each field says
    what it was and what it is now, what was typed stays, and saving again writes over knowingly. A view
    locks the row before it reads `current` on a POST.
    """

    def __init__(self, *args: Any, current: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "initial": dict(current)})
        self._current = json.loads(json.dumps(dict(current), cls=DjangoJSONEncoder))
        self._opened = self._current
        signed = signing.dumps(self._current, salt=_SALT, compress=True)
        self.fields[FIELD] = forms.CharField(widget=forms.HiddenInput, required=False, initial=signed)
        if self.is_bound:
            self._opened = self._read(self.data.get(self.add_prefix(FIELD), ""))
            # The page shows what is there now: the next attempt is compared with that.
            self.data = self.data.copy()  # type: ignore[attr-defined]
            self.data[self.add_prefix(FIELD)] = signed  # type: ignore[index]

    def _read(self, text: str) -> dict[str, Any]:
        # A program that sends none was not opened with anything.
        try:
            opened: dict[str, Any] = signing.loads(text, salt=_SALT) if text else self._current
        except signing.BadSignature:
            return {}
        return opened

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        data.pop(FIELD, None)
        for name in self._current:
            if name in self.fields and not self._means(name, self._opened.get(name), self._current[name]):
                self._report(name)
        return data

    def _report(self, name: str) -> None:
        now = self._current[name]
        if self._means(name, now, self[name].data):
            # Both made the same change.
            return
        texts = {"before": self._shown(name, self._opened.get(name)), "now": self._shown(name, now)}
        message = _(
            "Changed by somebody else while this page was open: it was “%(before)s” and is “%(now)s” now. "
            "Check it and save again."
        )
        self.add_error(name, forms.ValidationError(message % texts, code="changed_meanwhile"))

    def _means(self, name: str, one: Any, other: Any) -> bool:
        """Whether two values of a field are the same: a city may be written in two languages."""
        if one == other:
            return True
        field = self.fields[name]
        try:
            return bool(field.clean(one) == field.clean(other))
        except forms.ValidationError:
            return False

    def _shown(self, name: str, value: Any) -> str:
        choices = dict(getattr(self.fields[name], "choices", None) or [])
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        return str(choices.get(value, "" if value is None else value))


class EditForm(OpenedWith, forms.Form):
    """A plain form of that kind."""
