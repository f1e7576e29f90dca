"""The question the page of on-time rates asks: its fields are named as in the API."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

from django import forms
from django.forms import BoundField
from django.http import QueryDict
from django.utils.dates import WEEKDAYS
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from alliance.tenancy import Actor
from slas.choices import CommitmentKind
from slas.portal.rate_columns import FIGURES
from slas.rates.choices_to_ask import RateChoices
from slas.rates.questions import EARLIEST, FILTERS, LATEST, RateQuestion, listed
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
}


class RateQueryForm(forms.Form):
    """Which rates to show, by what, and how."""

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

    def __init__(self, asked: QueryDict, *, actor: Actor, choices: RateChoices, today: date) -> None:
        super().__init__(self._data({name: str(text) for name, text in asked.items() if text}, today))
        self.asked = asked
        # "from" cannot be an attribute's name.
        for name, title in (("from", pgettext("first day", "From")), ("to", pgettext("last day", "To"))):
            picker = forms.DateInput(attrs={"type": "date", "class": "form-control"})
            self.fields[name] = forms.DateField(label=title, required=False, widget=picker)
        self.names = {name: listed(asked.getlist(name)) for name in FILTERS}
        self.groups = listed(asked.getlist("group_by")) or [GroupBy.DAY.value]
        # Drawn as several lists, the first of which its errors lead to.
        picked = forms.Select(attrs={"id": "id_group_by_0"})
        self.fields["group_by"] = forms.CharField(label=_("By"), widget=picked)
        self.data["group_by"] = ",".join(self.groups)  # type: ignore[index]
        for name, label, options in _filters(actor, choices):
            self._offer(name, label, options)
        for name in ("period", "kind", "figures"):
            self.fields[name].widget.attrs["class"] = "form-select"

    @classmethod
    def _data(cls, given: dict[str, str], today: date) -> dict[str, str]:
        """What is given, and what stands for the rest."""
        # Dates alone are an API's question: they are meant.
        dates = {"period": CUSTOM} if not given.keys().isdisjoint(("from", "to")) else {}
        data = {**cls.DEFAULTS, **dates, **given}
        if days := PERIODS.get(data["period"]):
            # Whoever chooses other dates begins with those shown: none would be refused at once.
            shown = {"from": _days_back(today, days).isoformat(), "to": today.isoformat()}
            data = {**shown, **data}
        return data

    def _offer(self, name: str, label: str, options: list[Any]) -> None:
        """A list to choose from. What the address asks for and the list lacks is in it all the same."""
        chosen = ",".join(self.names[name])
        known = dict(_flat(options))
        if chosen and chosen not in known:
            options = [(chosen, ", ".join(str(known.get(part, part)) for part in self.names[name])), *options]
        field = forms.CharField(label=label, required=False, max_length=4_000)
        field.widget = forms.Select(attrs={"class": "form-select"}, choices=[("", _("All")), *options])
        self.fields[name] = field
        self.data[name] = chosen  # type: ignore[index]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in ("from", "to"):
            if cleaned.get("period") != CUSTOM or name in self.errors:
                continue
            day = cleaned.get(name)
            if day is None:
                self.add_error(name, _("Give both dates."))
            elif not EARLIEST <= day <= LATEST:
                self.add_error(name, _("Give a date between 2000 and 2099."))
        return cleaned

    def question(self, today: date) -> RateQuestion:
        """What is asked, once the form is valid."""
        asked = self.cleaned_data
        if asked["period"] == CUSTOM:
            first, last = asked["from"], asked["to"]
        else:
            first, last = _days_back(today, PERIODS[asked["period"]]), today
        return RateQuestion(first, last, asked["kind"], self.groups, self.names)

    @property
    def main_fields(self) -> list[BoundField]:
        return [self[name] for name in ("period", "from", "to", "kind", "tier", "figures")]

    @property
    def more_fields(self) -> list[BoundField]:
        return [self[name] for name in FILTERS if name in self.fields and name != "tier"]

    @property
    def asked_for(self) -> list[tuple[str, str]]:
        """What the rates are narrowed to, in words, the milestone first."""
        kind = CommitmentKind(self.cleaned_data["kind"])
        found = [(str(self.fields["kind"].label), str(kind.label))]
        for name in FILTERS:
            if self.names[name] and name in self.fields:
                names = dict(_flat(self.fields[name].widget.choices))
                chosen = ",".join(self.names[name])
                found.append((str(self.fields[name].label), str(names.get(chosen, chosen))))
        return found

    @property
    def is_narrowed(self) -> bool:
        """Whether one of the fields that are folded away is in use."""
        return any(self.names[name] for name in FILTERS if name != "tier")

    @property
    def group_pickers(self) -> list["GroupPicker"]:
        """As many lists as rows can be by things at once; all but the first can be left open."""
        titles = [_("By"), _("then by"), _("then by")]
        chosen = [*self.groups, *[""] * MOST_DIMENSIONS][:MOST_DIMENSIONS]
        return [
            GroupPicker(f"id_group_by_{place}", title, value, is_optional=place > 0)
            for place, (title, value) in enumerate(zip(titles, chosen, strict=True))
        ]


@dataclass(frozen=True, slots=True)
class GroupPicker:
    """A list of what rows can be by."""

    id: str
    label: str
    value: str
    is_optional: bool

    @property
    def choices(self) -> list[tuple[str, str | Promise]]:
        return [(item.value, title) for item, (title, _chart) in GROUPS.items()]


@dataclass(frozen=True, slots=True)
class Preset:
    """A question people ask often."""

    label: str
    url: str


def presets(actor: Actor) -> list[Preset]:
    """Return links to what is asked most, for the kind of actor."""
    asked: list[tuple[str, dict[str, Any]]] = [
        (_("Lanes"), {"group_by": "lane", "picture": "lanes"}),
        (_("A year of days"), {"period": "365", "group_by": "month", "picture": "calendar"}),
        (_("Weekdays"), {"period": "90", "group_by": "weekday", "picture": "groups"}),
        (_("How late"), {"group_by": "tier", "figures": "lateness", "picture": "lateness"}),
        (_("Provinces"), {"group_by": ["origin_province", "destination_province"], "picture": "lanes"}),
        (_("Excluded by reason"), {"period": "90", "group_by": "week", "figures": "excluded"}),
    ]
    if actor.is_courier:
        asked.append((_("Merchants"), {"group_by": "merchant", "picture": "groups"}))
    else:
        asked.append((_("Couriers"), {"group_by": "courier", "picture": "couriers"}))
    return [Preset(label, f"?{urlencode(query, doseq=True)}") for label, query in asked]


def _filters(actor: Actor, choices: RateChoices) -> list[tuple[str, str, list[Any]]]:
    """Each filter an actor has a use for: name, label, options."""
    found: list[tuple[str, str, list[Any]]] = [
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
    return [entry for entry in found if entry[0] != unused]


def _days_back(today: date, days: int) -> date:
    """The first of so many days up to today."""
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
