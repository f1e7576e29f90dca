"""API of scorecards and their rules."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.fields import MONTH, MonthField
from alliance.api.pagination import CursorPagination
from alliance.api.parsing import WordField, refuse_unknown_parameters
from alliance.api.public_ids import PartyField
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput, NotFound, NotPermitted
from alliance.models import Organisation
from alliance.public_ids import IdKind
from alliance.tenancy import Actor, require
from couriers.choices import Grade
from slas.choices import ScorecardState, ScoreComponent
from slas.credits.months import asked_month
from slas.models import Scorecard, ScoreRules
from slas.scorecards.rules import CLAIM_DAYS, FINAL_DAY, Band, Line, Rules, final_on, lines, month_of
from slas.scorecards.services.versions import rules_for

_OF_MONTH = OpenApiParameter("month", str, OpenApiParameter.PATH, pattern=MONTH)


class BandAnswer(serializers.Serializer[Any]):
    """A value that reaches the threshold gets the points."""

    threshold = serializers.FloatField(help_text="Between 0 and 1: at least, or at most if lower is better.")
    points = serializers.IntegerField()


class LineAnswer(serializers.Serializer[Any]):
    component = serializers.ChoiceField(choices=ScoreComponent.choices)
    name = serializers.CharField(help_text="In the language of the request.")
    lower_is_better = serializers.BooleanField()
    value = serializers.FloatField(allow_null=True, help_text="Between 0 and 1; null where n is 0.")
    n = serializers.IntegerField(help_text="Number of parcels the value is based on.")
    points = serializers.IntegerField(allow_null=True)
    band = BandAnswer(allow_null=True, help_text="The band reached; null below all.")
    next_band = BandAnswer(
        allow_null=True, help_text="Value needed for the next better band; null in the best."
    )
    weight_percent = serializers.IntegerField(help_text="Percent, as in the rules.")
    share = serializers.FloatField(help_text="Weight without the components that have no value.")
    adds = serializers.DecimalField(5, 2, help_text="Contribution to the score.")


class CardAnswer(serializers.Serializer[Any]):
    """A courier's month. Provisional until it is final; final ones never change."""

    month = MonthField()
    courier = PartyField(IdKind.COURIER, help_text="Its id.")
    courier_name = serializers.CharField()
    state = serializers.ChoiceField(choices=ScorecardState.choices)
    final_on = serializers.DateField(help_text="The month does not change from that day.")
    score = serializers.DecimalField(5, 2, allow_null=True, help_text="From 0 to 100.")
    grade = serializers.ChoiceField(
        choices=Grade.choices, allow_null=True, help_text="Null below the minimum volume."
    )
    rank = serializers.IntegerField(allow_null=True, help_text="Rank among the couriers graded that month.")
    ranked = serializers.IntegerField(help_text="Number of couriers graded that month.")
    n = serializers.IntegerField(help_text="Deliveries judged.")
    rules_version = serializers.IntegerField()
    computed_at = serializers.DateTimeField()


class CardDetailAnswer(CardAnswer):
    components = LineAnswer(many=True)


class CardsQuery(serializers.Serializer[Any]):
    """Which scorecards to list."""

    courier = PartyField(IdKind.COURIER, required=False, help_text="Its id; for ops, who see all.")
    state = WordField(choices=ScorecardState.choices, required=False)


class CardQuery(serializers.Serializer[Any]):
    courier = PartyField(
        IdKind.COURIER, required=False, help_text="Its id; required for ops, couriers see their own."
    )


class ComponentRule(serializers.Serializer[Any]):
    component = serializers.ChoiceField(choices=ScoreComponent.choices)
    name = serializers.CharField(help_text="In the language of the request.")
    lower_is_better = serializers.BooleanField()
    weight_percent = serializers.IntegerField(help_text="Percent.")
    bands = BandAnswer(many=True, help_text="Best first; no points below the last.")


class GradeRule(serializers.Serializer[Any]):
    grade = serializers.ChoiceField(choices=Grade.choices)
    least_score = serializers.IntegerField()


class RulesVersionAnswer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    first_month = MonthField(help_text="First month it applies to.")
    in_force = serializers.BooleanField(help_text="Applies to the current month.")
    components = ComponentRule(many=True)
    grades = GradeRule(many=True)
    minimum_volume = serializers.IntegerField(help_text="Fewer deliveries are not graded or ranked.")
    note = serializers.CharField()


class RulesAnswer(serializers.Serializer[Any]):
    """The published rules, the newest version first, announced ones included."""

    final_on_day = serializers.IntegerField(
        help_text="Day of the following month on which scorecards become final."
    )
    claim_days = serializers.IntegerField(
        help_text="Days after a month in which exemptions can be requested."
    )
    versions = RulesVersionAnswer(many=True)


class CardPagination(CursorPagination):
    ordering = ("-month", "courier_id")  # type: ignore[assignment]
    offset_cutoff = None  # type: ignore[assignment]


class CardPage(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True, help_text="The page after this one; null on the last.")
    previous = serializers.URLField(allow_null=True)
    results = CardAnswer(many=True)


class ScorecardListView(APIView):
    """Scorecards by month: a courier's own, for ops all couriers'."""

    @extend_schema(
        operation_id="scorecards_list",
        summary="Scorecards",
        description="A courier's months, newest first: score, grade, and rank among its peers, whose "
        "names stay hidden. Ops see every courier's.",
        parameters=[
            CardsQuery,
            OpenApiParameter("cursor", str, description="From `next` or `previous`."),
            OpenApiParameter("page_size", int, description="50 by default, 500 at most."),
        ],
        responses=CardPage,
        tags=["scorecards"],
    )
    def get(self, request: Request) -> Response:
        actor = _reader(request)
        params = _query(request, CardsQuery, {"cursor", "page_size"})
        cards = _cards(actor)
        if "courier" in params:
            cards = cards.filter(courier_id=_courier_id(params["courier"]))
        if "state" in params:
            cards = cards.filter(frozen_at__isnull=params["state"] == ScorecardState.PROVISIONAL)
        pages = CardPagination()
        page = pages.paginate_queryset(cards, request, view=self) or []
        answer = CardAnswer([_card_json(card) for card in page], many=True)
        return pages.get_paginated_response(answer.data)


class ScorecardView(APIView):
    """One month's scorecard."""

    @extend_schema(
        operation_id="scorecards_retrieve",
        summary="A month's scorecard",
        description="By component: value, band reached, requirement of the next band, points, weight, and "
        "contribution to the score.",
        parameters=[CardQuery, _OF_MONTH],
        responses=CardDetailAnswer,
        tags=["scorecards"],
    )
    def get(self, request: Request, month: str) -> Response:
        actor = _reader(request)
        params = _query(request, CardQuery)
        cards = _cards(actor).filter(month=asked_month(month))
        if "courier" in params:
            cards = cards.filter(courier_id=_courier_id(params["courier"]))
        elif not actor.is_courier:
            message = _("Name the courier: each one has its own scorecard.")
            raise InvalidInput(errors=[FieldError("/courier", message, "required")])
        card = cards.first()
        if card is None:
            raise NotFound(_("There is no scorecard for that month."))
        components = [_line_json(line) for line in lines(card.measured, card.rules.rules)]
        return Response(CardDetailAnswer({**_card_json(card), "components": components}).data)


class ScoreRulesView(APIView):
    """The rules that couriers are scored and graded by."""

    @extend_schema(
        operation_id="scorecard_rules_list",
        summary="Scorecard rules",
        description="How couriers are scored and graded: weights, points by band, minimum scores, minimum "
        "volume. All versions, including those announced for later months.",
        responses=RulesAnswer,
        tags=["scorecards"],
    )
    def get(self, request: Request) -> Response:
        _query(request, serializers.Serializer)
        in_force = rules_for(month_of(timezone.localdate()))
        versions = ScoreRules.objects.order_by("-valid_from")
        answer = {
            "final_on_day": FINAL_DAY,
            "claim_days": CLAIM_DAYS,
            "versions": [_rules_json(version, in_force) for version in versions],
        }
        return Response(RulesAnswer(answer).data)


def _reader(request: Request) -> Actor:
    actor = actor_of(request)
    require(actor, Capability.VIEW_RATES)
    if not (actor.is_courier or actor.can(Capability.OPERATE)):
        # Merchants see grades in quotes.
        raise NotPermitted
    return actor


def _query(
    request: Request, form: type[serializers.Serializer[Any]], also: set[str] | None = None
) -> dict[str, Any]:
    """Read the parameters, and refuse unknown ones."""
    query = form(data=request.query_params)
    refuse_unknown_parameters(request, *query.fields, *(also or ()))
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def _cards(actor: Actor) -> QuerySet[Scorecard]:
    cards: QuerySet[Scorecard] = Scorecard.objects.visible_to(actor)
    return cards.select_related("rules", "courier__organisation")


def _courier_id(public_id: str) -> int:
    # In the actor's scope: a courier finds itself, ops find every courier.
    courier = Organisation.objects.couriers_by_id(public_id).first()
    if courier is None:
        raise InvalidInput(errors=[FieldError("/courier", _("Unknown courier."), "unknown")])
    return courier.pk


def _card_json(card: Scorecard) -> dict[str, Any]:
    return {
        "month": f"{card.month:%Y-%m}",
        "courier": card.courier.organisation.public_id,
        "courier_name": card.courier.organisation.name,
        "state": card.state.value,
        "final_on": final_on(card.month),
        "score": card.score,
        "grade": card.grade or None,
        "rank": card.rank,
        "ranked": card.ranked,
        "n": card.n,
        "rules_version": card.rules.number,
        "computed_at": card.computed_at,
    }


def _line_json(line: Line) -> dict[str, Any]:
    return {
        **_component_json(line.component),
        "value": line.value,
        "n": line.n,
        "points": line.points,
        "band": _band_json(line.band),
        "next_band": _band_json(line.next_band),
        "weight_percent": line.weight,
        "share": round(line.share, 4),
        "adds": line.adds,
    }


def _rules_json(version: ScoreRules, in_force: ScoreRules) -> dict[str, Any]:
    rules: Rules = version.rules
    return {
        "version": version.number,
        "first_month": f"{version.valid_from:%Y-%m}",
        "in_force": version.pk == in_force.pk,
        "components": [
            {
                **_component_json(name),
                "weight_percent": weight,
                "bands": [_band_json(band) for band in rules.bands[name]],
            }
            for name, weight in rules.weights.items()
        ],
        "grades": [{"grade": grade.value, "least_score": least} for grade, least in rules.grades.items()],
        "minimum_volume": rules.minimum_volume,
        "note": version.note,
    }


def _component_json(component: ScoreComponent) -> dict[str, Any]:
    return {
        "component": component.value,
        "name": component.label,
        "lower_is_better": component.lower_is_better,
    }


def _band_json(band: Band | None) -> dict[str, Any] | None:
    return band._asdict() if band else None
