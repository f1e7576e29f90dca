"""Forms of a new version are filled in with the newest one; nobody takes back a version unseen."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from alliance.wording import listed, named, parted

FIELD = "based_on"


class BasedOnForm(forms.Form):
    """Rules of a tier, filled in with a version.

    The form is refused once if the tier's newest version is another one: announced meanwhile, or of the tier
    that was chosen instead of the one whose rules the page showed.
    """

    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)

    @staticmethod
    def values_of(version: Any) -> dict[str, Any]:
        """Return the values that a version fills in."""
        raise NotImplementedError

    def check_base(self, versions: Any) -> None:
        """Add an error if the newest of a tier's versions is not the one that filled in the page."""
        based_on = self.cleaned_data.pop(FIELD, None)
        newest = versions.order_by("-number").first()
        if based_on is None or newest is None or newest.pk == based_on:
            return
        base = type(newest).objects.filter(pk=based_on).first()
        # What is sent again was compared with the newest.
        self.data = self.data.copy()  # type: ignore[attr-defined]
        self.data[FIELD] = newest.pk  # type: ignore[index]
        before = self.values_of(base) if base else {}
        self.add_error(None, base_problem(self, base, newest, before, self.values_of(newest)))


def base_problem(
    form: forms.Form, base: Any, newest: Any, before: Mapping[str, Any], after: Mapping[str, Any]
) -> str:
    """Say which version filled in the page, and how the newest one differs from it."""
    if base is None:
        return _("The version that filled in this page was withdrawn. Check the values and save again.")
    params = {
        "base": base,
        "newest": newest,
        "changes": parted(
            named(
                field.label, f"{_shown(form, name, before.get(name))} → {_shown(form, name, after.get(name))}"
            )
            for name, field in form.fields.items()
            if name != "tier" and before.get(name) != after.get(name)
        ),
    }
    if not params["changes"]:
        return _("This page was filled in with %(base)s; the newest is %(newest)s. Save again.") % params
    text = _(
        "This page was filled in with %(base)s; the newest is %(newest)s and differs: %(changes)s. "
        "Check the values and save again."
    )
    return text % params


def _shown(form: forms.Form, name: str, value: Any) -> str:
    choices = dict(getattr(form.fields[name], "choices", None) or [])
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return listed(str(choices.get(item, item)) for item in value)
    return ", ".join(str(value).splitlines()) if value not in (None, "") else "–"
