"""Forms of the application. They parse the input; the rules are in couriers.applications.rules."""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.number_fields import WholeNumberField
from alliance.portal.forms import FilterForm
from alliance.web.edit_forms import EditForm
from couriers.applications.rules import LABELS, check_step
from couriers.choices import DocumentKind, FacilityKind, Step
from couriers.documents.files import ACCEPT

# All fields may be empty until the application is submitted.
_OPTIONAL: dict[str, Any] = {"required": False}


def _number(name: str, example: str, help_text: Any = "") -> WholeNumberField:
    attrs = {"inputmode": "numeric", "placeholder": example, "autocomplete": "off"}
    # A text input: scrolling over a number input changes its value unnoticed.
    return WholeNumberField(
        label=LABELS[name], help_text=help_text, widget=forms.TextInput(attrs=attrs), **_OPTIONAL
    )


class StepForm(EditForm):
    """The fields of a step. Errors of the rules are shown together with those of parsing."""

    step: Step

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        _stored, errors = check_step(self.step, data, today=timezone.localdate())
        for error in errors:
            self.add_error(error.field, str(error.message))
        return data


class CompanyForm(StepForm):
    """The company's data, as in its licence and its permit."""

    step = Step.COMPANY

    legal_name = forms.CharField(
        label=LABELS["legal_name"],
        help_text=_("Exactly as on the business licence."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
        **_OPTIONAL,
    )
    credit_code = forms.CharField(
        label=LABELS["credit_code"],
        help_text=_("18 characters, on the business licence below the title."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "91330100799655058B"}
        ),
        **_OPTIONAL,
    )
    permit_number = forms.CharField(
        label=LABELS["permit_number"],
        help_text=_("The number of your express delivery business permit."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "国邮20240123A"}),
        **_OPTIONAL,
    )
    founded_on = forms.DateField(
        label=LABELS["founded_on"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        **_OPTIONAL,
    )
    fleet_size = _number("fleet_size", "120", _("Vans, trucks and scooters that carry parcels."))
    daily_capacity = _number(
        "daily_capacity", "25000", _("Parcels you can deliver on an ordinary day, in all cities together.")
    )


class ContactForm(StepForm):
    """The contact of the company."""

    step = Step.CONTACT

    contact_name = forms.CharField(
        label=LABELS["contact_name"],
        help_text=_("A person who can answer questions about this application."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        **_OPTIONAL,
    )
    contact_phone = forms.CharField(
        label=LABELS["contact_phone"],
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "placeholder": "0571-8502 2088"}),
        **_OPTIONAL,
    )
    contact_email = forms.CharField(
        label=LABELS["contact_email"],
        help_text=_("The decision is sent here and to your own address."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        **_OPTIONAL,
    )


class DocumentForm(forms.Form):
    """One document to upload."""

    kind = forms.ChoiceField(
        label=_("Kind of document"),
        choices=DocumentKind.choices,
        error_messages={"invalid_choice": _("Choose the kind of document.")},
    )
    file = forms.FileField(
        label=_("File"),
        help_text=_("PDF, PNG or JPEG, at most 10 MB. Only you and the alliance's staff can open it."),
        widget=forms.ClearableFileInput(attrs={"accept": ACCEPT}),
        # Allow empty files here: the inspection reports them, like all other errors of a file.
        allow_empty_file=True,
        error_messages={"required": _("Choose a file first.")},
    )


class ReplacementForm(DocumentForm):
    """A file in place of a document of the same kind."""

    kind = None  # type: ignore[assignment]


class SubmitForm(forms.Form):
    """The confirmation and note of a submission."""

    note = forms.CharField(
        label=_("Message to the reviewers (optional)"),
        widget=forms.Textarea(attrs={"rows": 3}),
        **_OPTIONAL,
    )
    confirmed = forms.BooleanField(
        label=_("This information is true, and I am authorised to act for the company."),
        error_messages={"required": _("Please confirm this before you submit.")},
    )


class FacilityFilterForm(FilterForm):
    """The filters of the list of facilities."""

    q = forms.CharField(
        label=_("Name or city"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", _("All")), *FacilityKind.choices])
