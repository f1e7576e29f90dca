"""Pages of dry runs: what a merchant's rules would have made of its past bookings."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from alliance.choices import Capability
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.models import Organisation
from alliance.portal.charts import Chart, Series
from alliance.portal.forms import add_service_errors
from alliance.tenancy import require
from alliance.web.requests import ActorRequest
from parcels.dry_runs import services
from parcels.dry_runs.models import DryRun
from parcels.dry_runs.rules import Count, Side
from parcels.dry_runs.services import MOST_PARCELS, Period
from slas.allocation.models import AllocationRule
from slas.allocation.services import own_rules
from slas.allocation.texts import action_text, conditions_text
from slas.offers.ranking import RECORD_DAYS
from slas.promises.prices import yuan

PERIODS: Final = {
    "month": gettext_lazy("Last calendar month"),
    "days": gettext_lazy("Last 30 days"),
}


class DryRunForm(forms.Form):
    """Which rules are tried, and on which bookings."""

    rules = forms.MultipleChoiceField(
        label=gettext_lazy("Rules"),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("In your order; also those that are switched off."),
    )
    period = forms.ChoiceField(
        label=gettext_lazy("Bookings of"), choices=PERIODS.items(), widget=forms.RadioSelect, initial="month"
    )

    def __init__(self, *args: Any, rules: list[AllocationRule], **kwargs: Any) -> None:
        active = [str(rule.pk) for rule in rules if rule.is_active]
        kwargs["initial"] = {"rules": active, "period": "month"}
        super().__init__(*args, **kwargs)
        field = self.fields["rules"]
        field.choices = [(str(rule.pk), rule.name) for rule in rules]  # type: ignore[attr-defined]

    def chosen_period(self, today: date) -> Period:
        is_month = self.cleaned_data["period"] == "month"
        return Period.last_month(today) if is_month else Period.last_days(today)


@dataclass(frozen=True, slots=True)
class CourierRow:
    """One courier on both sides."""

    name: str
    booked: Side
    ruled: Side

    @property
    def booked_fees(self) -> str:
        return yuan(self.booked.fen)

    @property
    def ruled_fees(self) -> str:
        return yuan(self.ruled.fen)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """What one rule did."""

    name: str
    conditions: str
    action: str
    decided: int
    refused: int


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def dry_run_list(request: ActorRequest) -> HttpResponse:
    """Begin a dry run; list the earlier ones."""
    actor = request.actor
    runs, rules = services.dry_runs_of(actor), list(own_rules(actor))
    if request.method == "POST":
        require(actor, Capability.ALLOCATE)
    form = DryRunForm(request.POST or None, rules=rules)
    problem = None
    if request.method == "POST" and form.is_valid():
        period = form.chosen_period(timezone.localdate())
        chosen = [int(pk) for pk in form.cleaned_data["rules"]]
        try:
            run = services.start_dry_run(actor=actor, rule_ids=chosen, period=period)
        except InvalidInput as error:
            add_service_errors(form, error)
        except Conflict as error:
            problem = error
            form.add_error(None, error.detail)
        else:
            return redirect("parcels:dry_run_detail", run.pk)
    context = {
        "form": form,
        "has_rules": bool(rules),
        "may_start": actor.can(Capability.ALLOCATE),
        "runs": runs[: services.KEPT],
        "most": MOST_PARCELS,
    }
    status = problem.status if problem else 422 if form.errors else 200
    return render(request, "parcels/dry_run_list.html", context, status=status)


@require_safe
@login_required
def dry_run_detail(request: ActorRequest, run_id: int) -> HttpResponse:
    """Show how far a run is, then its result."""
    actor = request.actor
    run: DryRun | None = services.dry_runs_of(actor).filter(pk=run_id).first()
    if run is None:
        raise NotFound
    context: dict[str, Any] = {"run": run, "record_days": RECORD_DAYS, "most": MOST_PARCELS}
    if run.is_finished:
        context |= _result(run)
    response = render(request, "parcels/dry_run.html", context)
    if run.is_finished and request.headers.get("HX-Request"):
        # The polling page reloads: it then shows the result, and stops polling.
        response["HX-Refresh"] = "true"
    return response


def _result(run: DryRun) -> dict[str, Any]:
    count, rules = Count.from_json(run.result), services.rules_of(run)
    ids = {*count.booked, *count.ruled, *(int(pk) for rule in rules for pk in rule.couriers)}
    names = dict(Organisation.objects.filter(pk__in=ids).values_list("pk", "name"))
    couriers = list(_couriers(count, names))
    total = CourierRow(_("All"), _sum(count.booked), _sum(count.ruled))
    saved_fen = total.booked.fen - total.ruled.fen
    return {
        "count": count,
        "couriers": couriers,
        "total": total,
        "saved": yuan(abs(saved_fen)),
        "is_dearer": saved_fen < 0,
        "is_same_price": saved_fen == 0,
        "refused": count.refused.total(),
        "rules": [
            RuleRow(
                rule.name,
                conditions_text(rule),
                action_text(rule, names),
                count.decided[rule.pk],
                count.refused[rule.pk],
            )
            for rule in rules
        ],
        "without_rule": count.decided[0],
        "chart": _chart(couriers),
    }


def _couriers(count: Count, names: dict[int, str]) -> Iterator[CourierRow]:
    """The couriers, the one with most parcels as booked first."""
    nothing = Side()
    sides = [
        (names.get(pk, "–"), count.booked.get(pk, nothing), count.ruled.get(pk, nothing))
        for pk in count.booked.keys() | count.ruled.keys()
    ]
    for name, booked, ruled in sorted(sides, key=lambda each: (-each[1].parcels, -each[2].parcels, each[0])):
        yield CourierRow(name, booked, ruled)


def _sum(sides: dict[int, Side]) -> Side:
    return sum(sides.values(), Side())


def _chart(couriers: list[CourierRow]) -> Chart:
    return Chart(
        id="dry-run",
        title=_("Parcels by courier"),
        kind="bar",
        category_name=_("Courier"),
        categories=[row.name for row in couriers],
        series=[
            Series(_("As booked"), [row.booked.parcels for row in couriers]),
            Series(_("Under the rules"), [row.ruled.parcels for row in couriers]),
        ],
    )
