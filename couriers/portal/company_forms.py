"""Forms of a courier's data after its approval."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from alliance.cities import CityFinder, UnknownCity
from alliance.web.edit_forms import EditForm
from couriers.applications.rules import LABELS
from couriers.changes.rules import NAMES
from couriers.portal.application_forms import ContactForm

MOST_CITIES = 2_000


class CompanyContactForm(ContactForm):
    """The contact of a courier."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["contact_name"].help_text = ""
        self.fields["contact_email"].help_text = ""


class CitiesField(forms.CharField):
    """Cities by name or code, one a line; returned by id."""

    widget = forms.Textarea(attrs={"rows": 8})

    def to_python(self, value: Any) -> Any:
        lines = [line.strip() for line in str(super().to_python(value)).splitlines() if line.strip()]
        if len(lines) > MOST_CITIES:
            raise forms.ValidationError(_("At most %(most)d cities.") % {"most": MOST_CITIES})
        finder, ids, problems = CityFinder(), [], []
        for line in lines:
            try:
                ids.append(finder.find(line).pk)
            except UnknownCity as error:
                problems.append(str(error))
        if problems:
            raise forms.ValidationError(problems[:5])
        return sorted(set(ids))


class ChangeForm(EditForm):
    """Data that the alliance has to review."""

    name = forms.CharField(label=NAMES["name"], max_length=200)
    legal_name = forms.CharField(label=LABELS["legal_name"], max_length=200)
    credit_code = forms.CharField(label=LABELS["credit_code"], max_length=40)
    permit_number = forms.CharField(label=LABELS["permit_number"], max_length=80)
    cities = CitiesField(label=NAMES["cities"], help_text=_("One city a line, by name or code."))
    note = forms.CharField(
        label=_("Message to the reviewers (optional)"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, current: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, current=current, **kwargs)
        if "cities" not in current:
            # It joined before applications went online: no city limits it.
            del self.fields["cities"]
