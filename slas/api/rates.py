"""API of on-time rates: one query in, rows with all figures out."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.fields import MonthField
from alliance.api.parsing import WordField
from alliance.api.public_ids import PartyField
from alliance.public_ids import IdKind
from slas.choices import CommitmentKind, ExcuseReason, TierCode
from slas.rates.names import namer
from slas.rates.queries import MONTH, MOST_ROWS, RateAnswer, answer_rates
from slas.rates.questions import EARLIEST, FILTERS, LATEST, RateQuestion, rate_query, split_values
from slas.rates.rules import FEW, GroupBy, RateRow, keys_of

GROUPS = [item.value for item in GroupBy]
# Told by id or code, with the name beside it.
_NAMED = frozenset({GroupBy.COURIER, GroupBy.MERCHANT, GroupBy.ORIGIN, GroupBy.DESTINATION})
DATES = [MinValueValidator(EARLIEST), MaxValueValidator(LATEST)]
DESCRIPTION = f"""Of what fell due in a period, the last 30 days unless told otherwise. Couriers see their \
own figures, merchants those of their parcels, ops everybody's.

Filters go together: `tier=next_day&origin=CN-HGH&weekday=6,7` is next-day parcels from Hangzhou due on \
weekends. Several values of one filter, separated by commas or given by repeating the parameter, are "any \
of these". `group_by` takes up to three of: {", ".join(GROUPS)}.

Rows by day, week, month and weekday come in that order, everything else the highest lower bound first. A \
group has a row when anything was promised in it. An answer has at most {MOST_ROWS:,} rows and, by day, \
366 days; a longer one is refused with 422."""


class NamesField(serializers.ListField):
    """Values given as `a,b` or by repeating the parameter."""

    child = serializers.CharField()

    def to_internal_value(self, data: Any) -> list[Any]:
        return split_values(data if isinstance(data, list) else [str(data)])


@extend_schema_field({"type": "array", "items": {"type": "string", "enum": GROUPS}, "maxItems": 3})
class GroupsField(NamesField):
    pass


@extend_schema_field({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 7}})
class WeekdaysField(NamesField):
    pass


class RatesQuery(serializers.Serializer[Any]):
    """What to ask the on-time rates for."""

    to = serializers.DateField(
        required=False,
        validators=DATES,
        help_text="Last due date, local to where it fell due. Default: today.",
    )
    kind = WordField(choices=CommitmentKind.choices, default=CommitmentKind.DELIVERY)
    courier = NamesField(child=PartyField(IdKind.COURIER), required=False, help_text="Ids of couriers.")
    merchant = NamesField(child=PartyField(IdKind.MERCHANT), required=False, help_text="Ids of merchants.")
    tier = NamesField(required=False, help_text=f"Services: {', '.join(TierCode.values)}.")
    origin = NamesField(required=False, help_text="Cities by code, such as CN-HGH, or by name.")
    destination = NamesField(required=False, help_text="Cities by code or name.")
    origin_province = NamesField(
        required=False, help_text="Provinces by name in English or Chinese, or as CN-Zhejiang."
    )
    destination_province = NamesField(required=False, help_text="Provinces by name or code.")
    weekday = WeekdaysField(required=False, help_text="Days of the week of the due date, 1 is Monday.")
    group_by = GroupsField(required=False, help_text="Grouping of the rows, up to three; one row without it.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" is a keyword, so it cannot be an attribute.
        first = serializers.DateField(
            required=False, validators=DATES, help_text="First due date. Default: 29 days before `to`."
        )
        return {"from": first, **super().get_fields()}

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields))
        if unknown:
            # A misspelt filter must not answer a wider query.
            message = _("Unknown parameter.")
            raise serializers.ValidationError(dict.fromkeys(unknown, [message]), code="unknown")
        return super().to_internal_value(data)

    def question(self, today: date) -> RateQuestion:
        params = self.validated_data
        last = params.get("to", today)
        return RateQuestion(
            first=params.get("from", last - timedelta(days=MONTH - 1)),
            last=last,
            kind=params["kind"],
            group_by=params.get("group_by", ()),
            names={name: params[name] for name in FILTERS if name in params},
        )


class LateByDays(serializers.Serializer[Any]):
    """Breaches by days of 24 hours after the promise, each in one of them."""

    one_day = serializers.IntegerField(help_text="Reached late by up to a day.")
    two_days = serializers.IntegerField(help_text="By more than one day, up to two.")
    three_days = serializers.IntegerField(help_text="By more than two days, up to three.")
    more = serializers.IntegerField(help_text="By more than three days.")
    missing = serializers.IntegerField(help_text="Overdue: past due and not reached yet.")


@extend_schema_field({"type": "integer"})
class LateField(serializers.Field[timedelta, int, int, Any]):
    """A percentile of lateness, to the minute: bins are no finer."""

    def to_representation(self, value: timedelta) -> int:
        return round(value / timedelta(minutes=1)) * 60


class RateFigures(serializers.Serializer[Any]):
    """Figures of one group: shares are between 0 and 1, null when there is nothing to judge."""

    met = serializers.IntegerField()
    late = serializers.IntegerField(help_text="Reached after the promise.")
    overdue = serializers.IntegerField(help_text="Overdue: past the promise and not reached.")
    excused = serializers.IntegerField(help_text="Late and overdue, but exempt: not the courier's fault.")
    pending = serializers.IntegerField(help_text="Not due yet.")
    void = serializers.IntegerField(help_text="Cancelled before pickup.")
    n = serializers.IntegerField(help_text="met + late + overdue")
    accountable_n = serializers.IntegerField(help_text="n - excused")
    raw_rate = serializers.FloatField(source="raw", allow_null=True, help_text="met / n")
    accountable_rate = serializers.FloatField(
        source="accountable", allow_null=True, help_text="met / (n - excused)"
    )
    lower_bound = serializers.FloatField(
        allow_null=True, help_text="Wilson lower bound (95 %) of the accountable rate."
    )
    upper_bound = serializers.FloatField(
        allow_null=True, help_text="Wilson upper bound (95 %) of the accountable rate."
    )
    provisional = serializers.BooleanField(
        help_text="Due less than seven days ago: the rate can still change."
    )
    few = serializers.BooleanField(source="is_few", help_text=f"n is below {FEW}.")
    excused_by = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=f"Exempt by reason, where not zero: {', '.join(ExcuseReason.values)}.",
    )
    late_by_days = LateByDays(source="late_by")
    late_p50_seconds = LateField(
        source="p50", allow_null=True, help_text="Of those reached late: half were late by up to so much."
    )
    late_p90_seconds = LateField(source="p90", allow_null=True)
    late_p95_seconds = LateField(source="p95", allow_null=True)
    attempted = serializers.IntegerField(help_text="Deliveries with an attempt.")
    first_attempt = serializers.IntegerField(help_text="Delivered on the first attempt.")
    first_attempt_rate = serializers.FloatField(allow_null=True, help_text="first_attempt / attempted")
    within_48h = serializers.IntegerField(help_text="Delivered within 48 hours of pickup.")
    within_48h_rate = serializers.FloatField(allow_null=True, help_text="within_48h / n")
    within_72h = serializers.IntegerField(help_text="Delivered within 72 hours of pickup.")
    within_72h_rate = serializers.FloatField(allow_null=True, help_text="within_72h / n")
    pickup_met = serializers.IntegerField(help_text="Pickups on time, regardless of `kind`.")
    pickup_n = serializers.IntegerField(help_text="Pickups that fell due.")
    pickup_rate = serializers.FloatField(
        source="pickup_on_time", allow_null=True, help_text="pickup_met / pickup_n"
    )


class Rate(RateFigures):
    """A row: what it is of, under the names of `group_by`, and its figures."""

    day = serializers.DateField(required=False)
    week = serializers.DateField(required=False, help_text="Its Monday.")
    month = MonthField(required=False, help_text="Such as 2026-10.")
    weekday = serializers.IntegerField(required=False, help_text="1 is Monday.")
    courier = PartyField(IdKind.COURIER, required=False, help_text="Its id, as in queries.")
    courier_name = serializers.CharField(required=False)
    merchant = PartyField(IdKind.MERCHANT, required=False, help_text="Its id, as in queries.")
    merchant_name = serializers.CharField(required=False)
    tier = WordField(choices=TierCode.choices, required=False)
    origin = serializers.CharField(required=False, help_text="City code; of `lane`, too.")
    origin_name = serializers.CharField(required=False)
    destination = serializers.CharField(required=False, help_text="City code.")
    destination_name = serializers.CharField(required=False)
    origin_province = serializers.CharField(required=False, help_text="Such as CN-Zhejiang.")
    destination_province = serializers.CharField(required=False, help_text="Such as CN-Zhejiang.")


class RatesAnswer(serializers.Serializer[Any]):
    to = serializers.DateField()
    kind = serializers.ChoiceField(choices=CommitmentKind.choices)
    group_by = serializers.CharField(allow_null=True, help_text="As in the query, separated by commas.")
    totals = RateFigures(help_text="Total of all rows.")
    results = Rate(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": serializers.DateField(), **super().get_fields()}


class RatesView(APIView):
    """On-time rates of a period of due dates: the actor's own, or for ops every courier's."""

    @extend_schema(
        operation_id="rates_list",
        summary="On-time rates",
        description=DESCRIPTION,
        parameters=[RatesQuery],
        responses=RatesAnswer,
        tags=["rates"],
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        today = timezone.localdate()
        query = RatesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        answer = answer_rates(actor=actor, query=rate_query(query.question(today)), today=today)
        return Response(_body(answer))


def _body(answer: RateAnswer) -> dict[str, Any]:
    query = answer.query
    figures = RateFigures()
    return {
        "from": query.first.isoformat(),
        "to": query.last.isoformat(),
        "kind": str(query.kind),
        "group_by": ",".join(query.group_by) or None,
        "totals": figures.to_representation(answer.total),
        "results": [
            {**names, **figures.to_representation(row)}
            for names, row in zip(_names(answer.rows, query.group_by), answer.rows, strict=True)
        ],
    }


def _names(rows: Sequence[RateRow], group_by: Sequence[GroupBy]) -> Iterator[dict[str, Any]]:
    """The keys of each row as JSON fields."""
    keys = [keys_of(row, group_by) if group_by else () for row in rows]
    encoders = [_encoder(item, {key[index] for key in keys}) for index, item in enumerate(group_by)]
    for key in keys:
        named: dict[str, Any] = {}
        for name, part in zip(encoders, key, strict=True):
            named |= name(part)
        yield named


def _encoder(item: GroupBy, keys: set[Any]) -> Callable[[Any], dict[str, Any]]:
    if item == GroupBy.LANE:
        ends = namer(GroupBy.ORIGIN, {city for lane in keys for city in lane})
        return lambda lane: {**_place("origin", ends(lane[0])), **_place("destination", ends(lane[1]))}
    if item == GroupBy.WEEKDAY:
        return lambda key: {item.value: int(key)}
    name = namer(item, keys)
    if item in _NAMED:
        return lambda key: _place(item.value, name(key))
    return lambda key: {item.value: name(key)[1]}


def _place(field: str, named: tuple[str, str]) -> dict[str, str]:
    return {field: named[1], f"{field}_name": named[0]}
