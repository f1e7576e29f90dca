"""Forms to declare closures and to load the public holidays of a year."""

from datetime import datetime

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from alliance.city_fields import CityField
from slas.admin.tier_forms import text_input
from slas.choices import ClosureSide
from slas.promises.services.closures import Declaration


class ClosureForm(forms.Form):
    """One place closed for one or several consecutive local days, or for the same hours of each."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        help_text=gettext_lazy("For example: Typhoon Bebinca."),
        widget=text_input(),
    )
    first = forms.DateField(label=gettext_lazy("First day"), widget=text_input("date"))
    last = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy("Leave empty for a single day."),
        widget=text_input("date"),
    )
    starts = forms.TimeField(
        label=gettext_lazy("Closed from"),
        required=False,
        help_text=gettext_lazy("Local time, on each of the days. Leave both times empty for the whole day."),
        widget=text_input("time"),
    )
    ends = forms.TimeField(
        label=gettext_lazy("Open again at"),
        required=False,
        help_text=gettext_lazy("Leave empty for midnight. A time before the start is on the next morning."),
        widget=text_input("time"),
    )
    side = forms.ChoiceField(
        label=gettext_lazy("Side"),
        choices=ClosureSide.choices,
        initial=ClosureSide.BOTH.value,
        help_text=gettext_lazy("Origin: no pickup there. Destination: no delivery there."),
        widget=UnfoldAdminSelectWidget,
    )
    city = CityField(
        label=gettext_lazy("City"),
        required=False,
        help_text=gettext_lazy("Name or code. Leave empty to close the whole province or country."),
        widget=text_input(),
    )
    province = forms.CharField(
        label=gettext_lazy("Province"),
        required=False,
        help_text=gettext_lazy("For example: Zhejiang or 浙江. Not needed with a city."),
        widget=text_input(),
    )
    country = forms.CharField(
        label=gettext_lazy("Country"),
        max_length=2,
        initial="CN",
        help_text=gettext_lazy("Two letters."),
        widget=text_input(),
    )
    announced_at = forms.DateTimeField(
        label=gettext_lazy("Announced at"),
        required=False,
        help_text=gettext_lazy("Promises made from then on avoid it. Leave empty for now. Server time."),
        widget=text_input("datetime-local"),
    )

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()

    @property
    def declaration(self) -> Declaration:
        return Declaration(**{name: self.cleaned_data[name] for name in Declaration.__slots__})


class HolidaysForm(forms.Form):
    """The years whose public holidays to load."""

    first_year = forms.IntegerField(label=gettext_lazy("Year"), widget=text_input("number"))
    last_year = forms.IntegerField(
        label=gettext_lazy("Until the year"),
        required=False,
        help_text=gettext_lazy("Leave empty for that year only."),
        widget=text_input("number"),
    )

    @staticmethod
    def first_values(now: datetime) -> dict[str, int]:
        return {"first_year": timezone.localdate(now).year + 1}

    @property
    def years(self) -> tuple[int, int]:
        first = self.cleaned_data["first_year"]
        return first, self.cleaned_data["last_year"] or first
