"""On-time rates of any period: by day, lane, tier or courier, as a chart, a table and a CSV."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.errors import InvalidInput
from alliance.portal.charts import Chart
from alliance.portal.forms import add_service_errors
from alliance.tenancy import Actor, require
from slas.charts import groups_chart, trend_chart
from slas.choices import CommitmentKind, TierCode
from slas.models import ServiceTier
from slas.services.rates import GroupBy, RateRow, rates_for
from slas.services.standings import Standing, standings

CUSTOM = "custom"
PERIODS = {"7": 7, "30": 30, "90": 90}
# More bars than these cannot be told apart; more rows belong into a file.
MOST_BARS, MOST_ROWS = 10, 200
COUNTS = ("met", "late", "overdue", "excused", "pending", "void", "n")
GROUPS: dict[GroupBy, tuple[str | Promise, str | Promise]] = {
    GroupBy.DAY: (gettext_lazy("Day"), gettext_lazy("On time by day")),
    GroupBy.LANE: (gettext_lazy("Lane"), gettext_lazy("On time by lane")),
    GroupBy.TIER: (gettext_lazy("Service"), gettext_lazy("On time by service")),
    GroupBy.COURIER: (gettext_lazy("Courier"), gettext_lazy("On time by courier")),
}


class RateQueryForm(forms.Form):
    """Which rates to show; the fields are named as in the API."""

    DEFAULTS: ClassVar[dict[str, str]] = {"period": "30", "kind": "delivery", "group_by": "day"}

    period = forms.ChoiceField(
        label=gettext_lazy("Period"),
        choices=[
            ("7", gettext_lazy("Last 7 days")),
            ("30", gettext_lazy("Last 30 days")),
            ("90", gettext_lazy("Last 90 days")),
            (CUSTOM, gettext_lazy("Other dates")),
        ],
    )
    kind = forms.ChoiceField(label=gettext_lazy("Milestone"), choices=CommitmentKind.choices)
    tier = forms.ChoiceField(
        label=gettext_lazy("Service"),
        required=False,
        choices=[("", gettext_lazy("All services")), *TierCode.choices],
    )
    group_by = forms.ChoiceField(label=gettext_lazy("By"))

    def __init__(self, asked: dict[str, Any], *, actor: Actor) -> None:
        super().__init__({**self.DEFAULTS, **asked})
        # "from" cannot be an attribute's name.
        for name, label in (("from", pgettext("first day", "From")), ("to", pgettext("last day", "To"))):
            picker = forms.DateInput(attrs={"type": "date", "class": "form-control"})
            self.fields[name] = forms.DateField(label=label, required=False, widget=picker)
        choices = [(item.value, GROUPS[item][0]) for item in _groupings(actor)]
        self.fields["group_by"].choices = choices  # type: ignore[attr-defined]
        for name in ("period", "kind", "tier", "group_by"):
            self.fields[name].widget.attrs["class"] = "form-select"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("period") == CUSTOM:
            for name in ("from", "to"):
                if name not in self.errors and cleaned.get(name) is None:
                    self.add_error(name, _("Give both dates."))
        return cleaned

    def period_asked(self, today: date) -> tuple[date, date]:
        """The first and the last day, both included."""
        asked = self.cleaned_data
        if asked["period"] == CUSTOM:
            return asked["from"], asked["to"]
        return today - timedelta(days=PERIODS[asked["period"]] - 1), today


@dataclass(frozen=True, slots=True)
class Answer:
    """The rates asked for: of the whole period, and of each group in it."""

    first: date
    last: date
    group_by: GroupBy
    total: RateRow
    groups: list[Standing]
    # By day, days without promises included; nothing for other groups.
    days: list[RateRow]

    @property
    def rows(self) -> list[Standing]:
        """The table: days newest first, everything else the surest first."""
        return self.groups[::-1] if self.group_by == GroupBy.DAY else self.groups[:MOST_ROWS]

    @property
    def late(self) -> int:
        """Late, be it reached since or not."""
        return self.total.late + self.total.overdue

    @property
    def column(self) -> str | Promise:
        return GROUPS[self.group_by][0]

    @property
    def chart(self) -> Chart:
        column, title = (str(text) for text in GROUPS[self.group_by])
        if self.group_by == GroupBy.DAY:
            return trend_chart(self.days, id="rates-chart", title=title)
        judged = [group for group in self.groups if group.row.n]
        if len(judged) > MOST_BARS:
            title = _("%(title)s: the first %(most)d of %(total)d") % {
                "title": title, "most": MOST_BARS, "total": len(judged)
            }  # fmt: skip
        return groups_chart(judged[:MOST_BARS], id="rates-chart", title=title, category_name=column)


@require_safe
@login_required
def rate_list(request: HttpRequest) -> HttpResponse:
    """Show the rates of a period: couriers their own, merchants their couriers', ops everybody's."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    require(actor, Capability.VIEW_RATES)
    today = timezone.localdate()
    form = RateQueryForm(request.GET.dict(), actor=actor)
    context = {
        "form": form,
        "answer": _answer(actor, form, today),
        "today": today,
        "zone": settings.TIME_ZONE,
        "may_export": actor.can(Capability.EXPORT),
        "most_rows": MOST_ROWS,
    }
    return render(request, "slas/rate_list.html", context)


@require_safe
@login_required
def rate_download(request: HttpRequest) -> HttpResponse:
    """Give the same figures as a CSV, every row of them. Shares are between 0 and 1."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    require(actor, Capability.VIEW_RATES)
    require(actor, Capability.EXPORT)
    form = RateQueryForm(request.GET.dict(), actor=actor)
    answer = _answer(actor, form, timezone.localdate())
    if answer is None:
        raise InvalidInput(_("The period or the grouping is not valid."))
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"on-time-rates-{answer.first}-{answer.last}-{answer.group_by.value}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    # Spreadsheets take a file for UTF-8 by this.
    response.write("\ufeff")
    csv.writer(response).writerows(_csv_rows(answer))
    return response


def _groupings(actor: Actor) -> list[GroupBy]:
    """A courier has no cells by merchant, and a merchant none by lane."""
    if actor.is_courier:
        return [GroupBy.DAY, GroupBy.LANE, GroupBy.TIER]
    if actor.is_merchant:
        return [GroupBy.DAY, GroupBy.COURIER, GroupBy.TIER]
    return list(GroupBy)


def _answer(actor: Actor, form: RateQueryForm, today: date) -> Answer | None:
    """The figures, or None with the errors in the form."""
    if not form.is_valid():
        return None
    first, last = form.period_asked(today)
    group_by = GroupBy(form.cleaned_data["group_by"])
    asked: dict[str, Any] = {
        "actor": actor,
        "first": first,
        "last": last,
        "today": today,
        "kind": form.cleaned_data["kind"],
        "tier_id": _tier_id(form.cleaned_data["tier"]),
    }
    try:
        [total] = rates_for(**asked)
        rows = rates_for(**asked, group_by=group_by)
    except InvalidInput as error:
        add_service_errors(form, error)
        return None
    days = _every_day(rows, first, last) if group_by == GroupBy.DAY else []
    return Answer(first, last, group_by, total, standings(rows, group_by), days)


def _tier_id(code: str) -> int | None:
    return ServiceTier.objects.only("pk").get(code=code).pk if code else None


def _every_day(rows: list[RateRow], first: date, last: date) -> list[RateRow]:
    known = {row.group: row for row in rows}
    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    return [known.get(day) or RateRow(group=day) for day in days]


def _csv_rows(answer: Answer) -> Iterator[list[Any]]:
    group = answer.group_by.value
    yield [group, "name", *COUNTS, "raw", "accountable", "lower_bound", "provisional", "few"]
    for standing in answer.groups:
        row = standing.row
        shares = [_share(row.raw), _share(row.accountable), _share(row.lower_bound)]
        flags = ["yes" if flag else "no" for flag in (row.provisional, row.is_few)]
        counts = [getattr(row, name) for name in COUNTS]
        yield [standing.code, _as_text(standing.name), *counts, *shares, *flags]


def _share(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.6f}"


def _as_text(name: str) -> str:
    # A spreadsheet would run a company's name that begins like a formula.
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t")) else name
