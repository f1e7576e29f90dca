"""The form of the page of on-time rates: its fields are named as in the API."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

from django import forms
from django.forms import BoundField
from django.http import QueryDict
from django.urls import reverse
from django.utils.dates import WEEKDAYS
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from alliance.tenancy import Actor
from slas.choices import CommitmentKind
from slas.portal.rate_columns import FIGURES
from slas.rates.filter_choices import RateChoices
from slas.rates.questions import EARLIEST, FILTERS, LATEST, RateQuestion, split_values
from slas.rates.rules import MOST_DIMENSIONS, GroupBy

CUSTOM = "custom"
PERIODS = {"7": 7, "30": 30, "90": 90, "365": 365}
GROUPS: dict[GroupBy, tuple[str | Promise, str | Promise]] = {
    GroupBy.DAY: (gettext_lazy("Day"), gettext_lazy("On time by day")),
    GroupBy.WEEK: (gettext_lazy("Week"), gettext_lazy("On time by week")),
    GroupBy.MONTH: (gettext_lazy("Month"), gettext_lazy("On time by month")),
    GroupBy.WEEKDAY: (gettext_lazy("Weekday"), gettext_lazy("On time by weekday")),
    GroupBy.LANE: (gettext_lazy("Lane"), gettext_lazy("On time by lane")),
    GroupBy.TIER: (gettext_lazy("Service"), gettext_lazy("On time by service")),
    GroupBy.COURIER: (gettext_lazy("Courier"), gettext_lazy("On time by courier")),
    GroupBy.MERCHANT: (gettext_lazy("Merchant"), gettext_lazy("On time by merchant")),
    GroupBy.ORIGIN: (gettext_lazy("From city"), gettext_lazy("On time by city of origin")),
    GroupBy.DESTINATION: (gettext_lazy("To city"), gettext_lazy("On time by city of destination")),
    GroupBy.ORIGIN_PROVINCE: (gettext_lazy("From province"), gettext_lazy("On time by province of origin")),
    GroupBy.DESTINATION_PROVINCE: (
        gettext_lazy("To province"),
        gettext_lazy("On time by province of destination"),
    ),
}
PICTURES: dict[str, str | Promise] = {
    "trend": gettext_lazy("Trend"),
    "lanes": gettext_lazy("Lanes"),
    "calendar": gettext_lazy("Calendar"),
    "lateness": gettext_lazy("How late"),
    "couriers": gettext_lazy("Couriers ranked"),
    "groups": gettext_lazy("Rows compared"),
    "reasons": gettext_lazy("Excluded by reason"),
}


class RateQueryForm(forms.Form):
    """The rates to show, their grouping, and their display."""

    DEFAULTS: ClassVar[dict[str, str]] = {
        "period": "30", "kind": "delivery", "picture": "trend", "figures": "rates",
    }  # fmt: skip

    period = forms.ChoiceField(
        label=gettext_lazy("Period"),
        choices=[
            ("7", gettext_lazy("Last 7 days")),
            ("30", gettext_lazy("Last 30 days")),
            ("90", gettext_lazy("Last 90 days")),
            ("365", gettext_lazy("Last 365 days")),
            (CUSTOM, gettext_lazy("Other dates")),
        ],
    )
    kind = forms.ChoiceField(label=gettext_lazy("Milestone"), choices=CommitmentKind.choices)
    figures = forms.ChoiceField(
        label=gettext_lazy("Figures"), choices=[(name, title) for name, (title, _c) in FIGURES.items()]
    )
    picture = forms.ChoiceField(choices=list(PICTURES.items()), widget=forms.HiddenInput)

    def __init__(self, params: QueryDict, *, actor: Actor, choices: RateChoices, today: date) -> None:
        super().__init__(self._data({name: str(text) for name, text in params.items() if text}, today))
        self.params = params
        # "from" is a keyword, so it cannot be an attribute.
        for name, title in (("from", pgettext("first day", "From")), ("to", pgettext("last day", "To"))):
            picker = forms.DateInput(attrs={"type": "date", "class": "form-control"})
            self.fields[name] = forms.DateField(label=title, required=False, widget=picker)
        self.names = {name: split_values(params.getlist(name)) for name in FILTERS}
        self.groups = split_values(params.getlist("group_by")) or [GroupBy.DAY.value]
        # Drawn as several lists; errors link to the first one.
        select = forms.Select(attrs={"id": "id_group_by_0"})
        self.fields["group_by"] = forms.CharField(label=_("By"), widget=select)
        self.data["group_by"] = ",".join(self.groups)  # type: ignore[index]
        for name, label, options in _filters(actor, choices):
            if options is None:
                self._add_search(name, label)
            else:
                self._add_list(name, label, options)
        for name in ("period", "kind", "figures"):
            self.fields[name].widget.attrs["class"] = "form-select"

    @classmethod
    def _data(cls, values: dict[str, str], today: date) -> dict[str, str]:
        """The submitted values, completed by defaults."""
        # Dates without a period, as in API URLs, select custom dates.
        dates = {"period": CUSTOM} if not values.keys().isdisjoint(("from", "to")) else {}
        data = {**cls.DEFAULTS, **dates, **values}
        if days := PERIODS.get(data["period"]):
            # Custom dates start with those shown: empty ones would be refused at once.
            default_dates = {"from": _days_back(today, days).isoformat(), "to": today.isoformat()}
            data = {**default_dates, **data}
        return data

    def _add_list(self, name: str, label: str, options: list[Any]) -> None:
        """Add a list to choose from. Values in the URL that it lacks are added to it."""
        selected = ",".join(self.names[name])
        option_names = dict(_flat(options))
        if selected and selected not in option_names:
            options = [
                (selected, ", ".join(str(option_names.get(part, part)) for part in self.names[name])),
                *options,
            ]
        field = forms.CharField(label=label, required=False, max_length=4_000)
        field.widget = forms.Select(attrs={"class": "form-select"}, choices=[("", _("All")), *options])
        self.fields[name] = field
        self.data[name] = selected  # type: ignore[index]

    def _add_search(self, name: str, label: str) -> None:
        """Add a field for an id, which suggests some while a part of a name is typed."""
        field = forms.CharField(label=label, required=False, max_length=4_000)
        options = f"{name}-options"
        field.widget = forms.TextInput(attrs={
            "class": "form-control", "autocomplete": "off", "placeholder": _("Part of a name"),
            "list": options, "hx-get": reverse("slas:merchant_options"), "hx-target": f"#{options}",
            "hx-trigger": "input changed delay:200ms, focus once", "hx-sync": "this:replace",
            # Not as the form around it does.
            "hx-select": "unset", "hx-swap": "innerHTML", "hx-push-url": "false",
        })  # fmt: skip
        self.fields[name] = field
        self.data[name] = ",".join(self.names[name])  # type: ignore[index]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in ("from", "to"):
            if cleaned.get("period") != CUSTOM or name in self.errors:
                continue
            day = cleaned.get(name)
            if day is None:
                self.add_error(name, _("Enter both dates."))
            elif not EARLIEST <= day <= LATEST:
                self.add_error(name, _("Enter a date between 2000 and 2099."))
        return cleaned

    def question(self, today: date) -> RateQuestion:
        """The question of a valid form."""
        data = self.cleaned_data
        if data["period"] == CUSTOM:
            first, last = data["from"], data["to"]
        else:
            first, last = _days_back(today, PERIODS[data["period"]]), today
        return RateQuestion(first, last, data["kind"], self.groups, self.names)

    @property
    def main_fields(self) -> list[BoundField]:
        return [self[name] for name in ("period", "from", "to", "kind", "tier", "figures")]

    @property
    def more_fields(self) -> list[BoundField]:
        return [self[name] for name in FILTERS if name in self.fields and name != "tier"]

    @property
    def asked_for(self) -> list[tuple[str, str]]:
        """The filters in use as text, the milestone first."""
        kind = CommitmentKind(self.cleaned_data["kind"])
        filters = [(str(self.fields["kind"].label), str(kind.label))]
        for name in FILTERS:
            if self.names[name] and name in self.fields:
                names = dict(_flat(getattr(self.fields[name].widget, "choices", [])))
                chosen = ",".join(self.names[name])
                filters.append((str(self.fields[name].label), str(names.get(chosen, chosen))))
        return filters

    @property
    def is_narrowed(self) -> bool:
        """Whether one of the folded fields is in use."""
        return len(self.groups) > 1 or any(self.names[name] for name in FILTERS if name != "tier")

    @property
    def group_pickers(self) -> list["GroupPicker"]:
        """One list for each possible dimension; all but the first are optional."""
        titles = [_("By"), _("then by"), _("then by")]
        selected = [*self.groups, *[""] * MOST_DIMENSIONS][:MOST_DIMENSIONS]
        return [
            GroupPicker(f"id_group_by_{index}", title, value, is_optional=index > 0)
            for index, (title, value) in enumerate(zip(titles, selected, strict=True))
        ]


@dataclass(frozen=True, slots=True)
class GroupPicker:
    """A list of dimensions to group by."""

    id: str
    label: str
    value: str
    is_optional: bool

    @property
    def choices(self) -> list[tuple[str, str | Promise]]:
        return [(item.value, title) for item, (title, _chart) in GROUPS.items()]


@dataclass(frozen=True, slots=True)
class Preset:
    """A link to a frequent question."""

    label: str
    url: str


def presets(actor: Actor) -> list[Preset]:
    """Return links to frequent questions for the kind of actor."""
    queries: list[tuple[str, dict[str, Any]]] = [
        (_("Lanes"), {"group_by": "lane", "picture": "lanes"}),
        (_("Year by day"), {"period": "365", "group_by": "month", "picture": "calendar"}),
        (_("Weekdays"), {"period": "90", "group_by": "weekday", "picture": "groups"}),
        (_("How late"), {"group_by": "tier", "figures": "lateness", "picture": "lateness"}),
        (_("Provinces"), {"group_by": "destination_province", "picture": "groups"}),
        (
            _("Excluded by reason"),
            {"period": "90", "group_by": "week", "figures": "excluded", "picture": "reasons"},
        ),
    ]
    if actor.is_courier:
        queries.append((_("Merchants"), {"group_by": "merchant", "picture": "groups"}))
    else:
        queries.append((_("Couriers"), {"group_by": "courier", "picture": "couriers"}))
    return [Preset(label, f"?{urlencode(query, doseq=True)}") for label, query in queries]


def _filters(actor: Actor, choices: RateChoices) -> list[tuple[str, str, list[Any] | None]]:
    """The filters useful to an actor: name, label, and options; None if they are too many for a list."""
    filters: list[tuple[str, str, list[Any] | None]] = [
        ("courier", _("Courier"), choices.couriers),
        ("merchant", _("Merchant"), choices.merchants),
        ("tier", _("Service"), choices.tiers),
        ("origin", _("From city"), choices.origins),
        ("origin_province", _("From province"), choices.origin_provinces),
        ("destination", _("To city"), choices.destinations),
        ("destination_province", _("To province"), choices.destination_provinces),
        ("weekday", _("Weekday"), _weekdays()),
    ]
    unused = "courier" if actor.is_courier else "merchant" if actor.is_merchant else ""
    return [entry for entry in filters if entry[0] != unused]


def _days_back(today: date, days: int) -> date:
    return today - timedelta(days=days - 1)


def _weekdays() -> list[tuple[str, str]]:
    days = [(str(number + 1), str(name)) for number, name in WEEKDAYS.items()]
    return [("1,2,3,4,5", _("Monday to Friday")), ("6,7", _("Weekend")), *days]


def _flat(options: Sequence[Any]) -> Iterable[tuple[str, str]]:
    for value, name in options:
        if isinstance(name, list):
            yield from name
        else:
            yield value, name
