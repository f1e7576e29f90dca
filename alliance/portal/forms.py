"""Forms of the organisation's own pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

from alliance.choices import Capability, Role
from alliance.errors import InvalidInput
from alliance.tenancy import KEY_SCOPES, Actor


def add_service_errors(form: forms.Form, error: InvalidInput) -> None:
    """Show a service's field errors where they belong in a form."""
    for item in error.errors:
        form.add_error(item.field if item.field in form.fields else None, str(item.message))
    if not error.errors:
        form.add_error(None, error.detail)


class MemberForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail address"), help_text=_("The person must have signed up already.")
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.AGENT)


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("The program that will use the key, for example: ERP Hangzhou."),
    )
    scopes = forms.MultipleChoiceField(label=_("What it may do"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: object, actor: Actor, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        allowed = KEY_SCOPES & actor.capabilities
        field = self.fields["scopes"]
        field.choices = [(c.value, c.label) for c in Capability if c in allowed]  # type: ignore[attr-defined]
