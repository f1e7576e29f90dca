"""Base form of list filters, and the forms of members."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from django import forms
from django.db.models import QuerySet
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from alliance.choices import Role
from alliance.errors import InvalidInput
from alliance.web.edit_forms import EditForm

Rows = TypeVar("Rows", bound=QuerySet[Any])


def add_service_errors(
    form: forms.Form, error: InvalidInput, names: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Add a service's field errors to the fields of a form, which has other names for those in `names`."""
    for item in error.errors:
        name = names.get(item.field, item.field)
        form.add_error(name if name in form.fields else None, str(item.message))
    if not error.errors:
        form.add_error(None, error.detail)


class FilterForm(forms.Form):
    """The filters of a list.

    An invalid value is shown as an error of its field, and the list is empty: the whole list would be wrong.
    Unknown parameters are ignored, because other sites add their own to links.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            is_list = isinstance(field.widget, forms.Select)
            field.widget.attrs.setdefault("class", "form-select" if is_list else "form-control")

    @property
    def filters(self) -> dict[str, Any]:
        """The valid values of the filters."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def params(self) -> dict[str, list[str]]:
        """The valid filters as they were given, for URLs; empty ones are left out."""
        given = self.data if isinstance(self.data, MultiValueDict) else MultiValueDict({})
        values = {
            name: given.getlist(name) or [self.data.get(name, "")]
            for name in self.fields
            if name not in self.errors
        }
        return {name: [value for value in found if value] for name, found in values.items() if any(found)}

    def among(self, rows: Rows) -> Rows:
        """Return the rows to filter: none if the form is invalid."""
        return rows if self.is_valid() else rows.none()

    @property
    def status(self) -> int:
        """The HTTP status of a page with this form, as of all forms."""
        return 200 if self.is_valid() else 422


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail address"), help_text=_("The person gets a mail with a link, and joins by accepting.")
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.AGENT)


class RoleForm(EditForm):
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
