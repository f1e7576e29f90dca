"""Forms that change something: nobody's change is written over unseen."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core import signing
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _

_SALT = "alliance.edit_form"


class EditForm(forms.Form):
    """A form that knows the values it was opened with.

    If they were changed meanwhile, in another tab or by a colleague, it is refused once: each field says
    what it was and what it is now, what was typed stays, and saving again writes over knowingly. A view
    locks the row before it reads `current` on a POST.
    """

    opened_with = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, current: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, initial=dict(current), **kwargs)
        self._current = json.loads(json.dumps(dict(current), cls=DjangoJSONEncoder))
        self._opened = self._current
        self.fields["opened_with"].initial = signing.dumps(self._current, salt=_SALT, compress=True)
        if self.is_bound:
            self._opened = self._read(self.data.get(self.add_prefix("opened_with"), ""))
            # The page shows what is there now: the next attempt is compared with that.
            self.data = self.data.copy()  # type: ignore[attr-defined]
            self.data[self.add_prefix("opened_with")] = self.fields["opened_with"].initial

    def _read(self, text: str) -> dict[str, Any]:
        # A program that sends none was not opened with anything.
        try:
            opened: dict[str, Any] = signing.loads(text, salt=_SALT) if text else self._current
        except signing.BadSignature:
            return {}
        return opened

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        data.pop("opened_with", None)
        for name in self._current:
            if name in self.fields and self._opened.get(name) != self._current[name]:
                self._report(name, data.get(name))
        return data

    def _report(self, name: str, typed: object) -> None:
        field, now = self.fields[name], self._current[name]
        if not field.has_changed(now, self[name].data):
            # The same change was made already.
            return
        texts = {"before": self._shown(name, self._opened.get(name)), "now": self._shown(name, now)}
        message = _(
            "Changed by somebody else while this page was open: it was “%(before)s” and is “%(now)s” now. "
            "Check it and save again."
        )
        self.add_error(name, forms.ValidationError(message % texts, code="changed_meanwhile"))

    def _shown(self, name: str, value: Any) -> str:
        choices = dict(getattr(self.fields[name], "choices", None) or [])
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        return str(choices.get(value, "" if value is None else value))
