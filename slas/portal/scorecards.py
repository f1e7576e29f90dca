"""A courier's scorecards, and the rules all couriers are scored by."""

from dataclasses import dataclass
from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.errors import NotFound, NotPermitted
from alliance.portal.charts import Chart, Series
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from couriers.choices import Grade
from couriers.models import Courier
from slas.credits.months import asked_month
from slas.models import Scorecard, ScoreRules
from slas.scorecards.rules import (
    CLAIM_DAYS,
    EARNED,
    FINAL_DAY,
    TREND_MONTHS,
    Line,
    final_on,
    lines,
    month_after,
    month_of,
)
from slas.scorecards.services.versions import rules_for


@dataclass(frozen=True, slots=True)
class GradeChange:
    """A final scorecard that changed the courier's grade."""

    card: Scorecard
    before: Grade
    after: Grade
    # It is the newest final one: shown until the next month is final.
    is_news: bool

    @property
    def is_better(self) -> bool:
        order = list(Grade)
        return order.index(self.after) < order.index(self.before)


@dataclass(frozen=True, slots=True)
class CardView:
    """A scorecard with its components."""

    card: Scorecard
    lines: list[Line]

    @property
    def final_on(self) -> date:
        return final_on(self.card.month)

    @property
    def minimum_volume(self) -> int:
        return self.card.rules.minimum_volume

    @property
    def has_gap(self) -> bool:
        return any(line.value is None for line in self.lines)


@require_safe
@login_required
def scorecard_list(request: ActorRequest) -> HttpResponse:
    """Show the current month, the grade and its last change, and all earlier months."""
    actor = _courier(request)
    cards = _cards(actor)
    this_month = month_of(timezone.localdate())
    running = next((card for card in cards if card.month == this_month), None)
    context = {
        "courier": Courier.objects.get(pk=actor.tenant_id),
        "cards": cards,
        "running": card_view(running) if running else None,
        "change": latest_change(cards),
        "chart": trend(cards, until=this_month),
        "claim_days": CLAIM_DAYS,
        "final_day": FINAL_DAY,
    }
    return render(request, "slas/scorecard_list.html", context)


@require_safe
@login_required
def scorecard_detail(request: ActorRequest, month: str) -> HttpResponse:
    """Show one month: every component's value, band and points, and the threshold of the next band."""
    actor = _courier(request)
    selected_month = asked_month(month)
    cards = _cards(actor)
    card = next((card for card in cards if card.month == selected_month), None)
    if card is None:
        raise NotFound(_("There is no scorecard for that month."))
    months = {other.month for other in cards}
    previous_month, next_month = (month_after(selected_month, step) for step in (-1, 1))
    context = {
        "view": card_view(card),
        "card": card,
        "chart": trend(cards, until=selected_month),
        "earlier": previous_month if previous_month in months else None,
        "later": next_month if next_month in months else None,
    }
    return render(request, "slas/scorecard_detail.html", context)


@require_safe
@login_required
def scorecard_rules(request: ActorRequest) -> HttpResponse:
    """Show the rules in force, announced versions, and any earlier version requested."""
    this_month = month_of(timezone.localdate())
    versions = list(ScoreRules.objects.order_by("-valid_from"))
    in_force = rules_for(this_month)
    number = request.GET.get("version")
    version = in_force if number is None else _version(versions, number)
    context = {
        "version": version,
        "versions": versions,
        "in_force": in_force,
        "announced": [other for other in versions if other.valid_from > this_month],
        "components": [
            (name, weight, version.rules.bands[name]) for name, weight in version.rules.weights.items()
        ],
        "grades": [(grade, version.rules.grades[grade]) for grade in EARNED],
        "claim_days": CLAIM_DAYS,
        "final_day": FINAL_DAY,
    }
    return render(request, "slas/scorecard_rules.html", context)


def card_view(card: Scorecard) -> CardView:
    return CardView(card, lines(card.measured, card.rules.rules))


def latest_change(cards: list[Scorecard]) -> GradeChange | None:
    """Return the last change of grade by a final scorecard; every courier begins as a member.

    `cards` are a courier's, the newest first.
    """
    final = [card for card in cards if card.is_final and card.grade]
    grades = [*(Grade(card.grade) for card in final), Grade.MEMBER]
    for card, after, before in zip(final, grades, grades[1:], strict=False):
        if before != after:
            return GradeChange(card, before, after, is_news=card is final[0])
    return None


def trend(cards: list[Scorecard], *, until: date) -> Chart:
    """Draw the scores of up to twelve months, from the first scorecard on; a month without one is a gap."""
    cards_by_month = {card.month: card for card in cards}
    first = min(cards_by_month, default=until)
    months = [month_after(until, ahead) for ahead in range(1 - TREND_MONTHS, 1)]
    months = [month for month in months if month >= first]
    cards_shown = [cards_by_month.get(month) for month in months]
    return Chart(
        id="score-trend",
        title=_("Score by month"),
        kind="bar",
        category_name=_("Month"),
        categories=[formats.date_format(month, "YEAR_MONTH_FORMAT") for month in months],
        series=[Series(_("Score"), [_number(card) for card in cards_shown], colour="petrol")],
        counts=[card.n if card else 0 for card in cards_shown],
        counts_name=_("Deliveries"),
        provisional_from=next(
            (index for index, card in enumerate(cards_shown) if card and not card.is_final), None
        ),
    )


def _number(card: Scorecard | None) -> float | None:
    return None if card is None or card.score is None else float(card.score)


def _courier(request: ActorRequest) -> Actor:
    actor = request.actor
    require(actor, Capability.VIEW_RATES)
    if not actor.is_courier:
        # Ops use the admin; merchants see grades in quotes.
        raise NotPermitted
    return actor


def _cards(actor: Actor) -> list[Scorecard]:
    return list(Scorecard.objects.visible_to(actor).select_related("rules").order_by("-month"))


def _version(versions: list[ScoreRules], number: str) -> ScoreRules:
    for version in versions:
        if str(version.number) == number:
            return version
    raise NotFound
