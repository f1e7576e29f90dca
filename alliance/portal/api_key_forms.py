"""The form of a new API key."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alliance.key_scopes import JOBS, RESOURCES, jobs_within, scopes_within
from alliance.members.services.api_keys import LIFETIME_DAYS, NAME_LENGTH
from alliance.tenancy import Actor

NEVER: Final = "never"
_LIFETIMES: Final = {
    "7": _("7 days"),
    "30": _("30 days"),
    str(LIFETIME_DAYS): _("90 days"),
    "180": _("180 days"),
    "365": _("a year"),
    NEVER: _("until it is revoked"),
}


@dataclass(frozen=True, slots=True)
class ScopeBox:
    """One scope as a box to tick."""

    value: str
    label: str | Promise
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class ResourceLine:
    """The scopes of one resource."""

    name: str
    label: str | Promise
    boxes: list[ScopeBox]


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        help_text=_("The program that uses the key, for example: ERP Hangzhou."),
    )
    job = forms.ChoiceField(
        label=_("What it is for"),
        required=False,
        help_text=_("Gives the permissions such a program needs; you may tick more below."),
    )
    resources = forms.MultipleChoiceField(label=_("Permissions"), required=False)
    lifetime = forms.ChoiceField(
        label=_("Works for"),
        choices=[*_LIFETIMES.items()],
        initial=str(LIFETIME_DAYS),
        help_text=_("Before it ends, owners and managers get a mail 14 and 3 days ahead. Rotate it then."),
    )
    networks = forms.CharField(
        label=_("Addresses it may be used from"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "203.0.113.7\n2001:db8::/48"}),
        help_text=_("One a line: addresses or networks. Leave it empty to allow any."),
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._within = scopes_within(actor.capabilities)
        jobs = jobs_within(actor.capabilities)
        job: Any = self.fields["job"]
        job.choices = [
            ("", _("I choose the permissions")),
            *((name, each.label) for name, each in jobs.items()),
        ]
        resources: Any = self.fields["resources"]
        resources.choices = [(scope, scope) for scope in self._within]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        job = JOBS.get(found.get("job", ""))
        chosen = {*found.get("resources", []), *(job.scopes if job else ())}
        if not chosen and not self.errors.get("resources"):
            self.add_error("resources", _("Choose what the key is for, or tick at least one permission."))
        found["resources"] = sorted(chosen)
        return found

    @property
    def values(self) -> dict[str, Any]:
        """What the service is given."""
        found = self.cleaned_data
        lifetime = found["lifetime"]
        return {
            "name": found["name"],
            "resources": found["resources"],
            "days": None if lifetime == NEVER else int(lifetime),
            "networks": found["networks"],
        }

    def lines(self) -> Iterator[ResourceLine]:
        """Yield the scopes that may be given, by resource."""
        ticked = set(self.data.getlist("resources")) if self.is_bound else set()  # type: ignore[attr-defined]
        for name, resource in RESOURCES.items():
            scopes = {action: f"{name}:{action}" for action in resource.actions}
            boxes = [
                ScopeBox(scope, resource.actions[action].label, scope in ticked)
                for action, scope in scopes.items()
                if scope in self._within
            ]
            if boxes:
                yield ResourceLine(name, resource.label, boxes)
