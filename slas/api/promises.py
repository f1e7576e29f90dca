"""API of promises: what any version of a tier's rules would promise, and closures."""

from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.parsing import CityField, MomentField, WordField, refuse_unknown_parameters
from alliance.errors import FieldError, InvalidInput
from slas.choices import ClosureSide, TierCode
from slas.models import Closure, TierVersion
from slas.promises.closures import Hours
from slas.promises.replays import Answer, Question, find_tier, would_promise
from slas.promises.rules import Promise, Step
from slas.promises.services.closures import closures_between
from slas.promises.texts import Ends, closure_text, hours_text, rolled_text, step_text

CLOSURE_DAYS_AHEAD = timedelta(days=60)
MOST_CLOSURE_DAYS = timedelta(days=400)


class PromisesQuery(serializers.Serializer[Any]):
    """A journey and its moments."""

    origin = CityField(help_text="City, by code or name.")
    destination = CityField(help_text="City, by code or name.")
    tier = WordField(choices=TierCode.choices)
    booked_at = MomentField(required=False, help_text="Default: now.")
    ready_at = MomentField(required=False, help_text="Default: the time of booking.")
    known_at = MomentField(
        required=False, help_text="Only closures announced by then count. Default: the time of booking."
    )
    version = serializers.IntegerField(
        required=False, min_value=1, max_value=100_000, help_text="One version. Default: all."
    )

    def question(self, now: datetime) -> Question:
        params = self.validated_data
        booked_at = params.get("booked_at", now)
        return Question(
            origin=params["origin"],
            destination=params["destination"],
            booked_at=booked_at,
            ready_at=params.get("ready_at", booked_at),
            known_at=params.get("known_at", booked_at),
        )


class ToldStep(serializers.Serializer[Any]):
    """One sentence of why a promise is what it is."""

    code = serializers.CharField()
    day = serializers.DateField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)
    text = serializers.CharField(help_text="In the language of the request.")


class ToldPromise(serializers.Serializer[Any]):
    """Times carry the local offset of the end they belong to."""

    original = serializers.DateTimeField(help_text="Delivery as it would be promised.")
    current = serializers.DateTimeField(help_text="The same: nothing was changed since.")
    pickup_date = serializers.DateField()
    pickup_by = serializers.DateTimeField()
    cut_off_at = serializers.DateTimeField(help_text="The cut-off for this pickup day.")
    rolled = serializers.BooleanField(help_text="Pickup is later than requested.")
    rolled_days = serializers.IntegerField()
    note = serializers.CharField(help_text="Why pickup is later than requested; empty if it is not.")
    steps = ToldStep(many=True)


class VersionAnswer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    starts_at = serializers.DateTimeField(help_text="When it comes into force.")
    in_force = serializers.BooleanField(help_text="Whether this version was in force at booking.")
    promise = ToldPromise(allow_null=True)
    refusal = serializers.CharField(help_text="Why there is no promise; empty if there is one.")


class PromisesView(APIView):
    """What each version of a tier would promise for a journey, step by step."""

    @extend_schema(
        operation_id="promises_list",
        summary="Calculate promises",
        description="Calculates the promise by every version of a tier's rules, newest first, with an "
        "explanation in sentences. Reserves nothing and ignores capacity.",
        parameters=[PromisesQuery],
        responses=VersionAnswer(many=True),
        tags=["reference"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, *PromisesQuery().fields)
        query = PromisesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        question, params = query.question(timezone.now()), query.validated_data
        tier = find_tier(params["tier"])
        answers = would_promise(
            actor=actor_of(request),
            question=question,
            tier_id=tier.pk,
            version_id=_version_id(tier.pk, params.get("version")),
        )
        ends = Ends(question.origin.name, question.destination.name)
        return Response([_answer_json(answer, ends) for answer in answers])


class ClosuresQuery(serializers.Serializer[Any]):
    """Which days to look at."""

    to = serializers.DateField(required=False, help_text="Last day. Default: 60 days after `from`.")
    city = CityField(required=False, help_text="Only closures of this city, by code or name.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" is a keyword, so it cannot be an attribute.
        first = serializers.DateField(required=False, help_text="First day. Default: today.")
        return {"from": first, **super().get_fields()}


class ClosureAnswer(serializers.ModelSerializer[Closure]):
    """A day, or hours of one, in which a place does not work."""

    day = serializers.DateField(source="date")
    name = serializers.SerializerMethodField()
    hours = serializers.SerializerMethodField(help_text="Local time; empty for the whole day.")
    city = serializers.SerializerMethodField(help_text="City code; empty for a whole province or country.")
    side = serializers.ChoiceField(choices=ClosureSide.choices)

    class Meta:
        model = Closure
        fields = (
            "day", "hours", "name", "side", "country", "province", "city", "is_public_holiday",
            "announced_at",
        )  # fmt: skip

    def get_name(self, closure: Closure) -> str:
        return closure_text(closure.name)

    def get_hours(self, closure: Closure) -> str:
        return "" if closure.starts is None else hours_text(Hours(closure.starts, closure.ends))

    def get_city(self, closure: Closure) -> str:
        return closure.city.code if closure.city else ""


class ClosuresView(APIView):
    """The announced closures that promises take into account."""

    @extend_schema(
        operation_id="closures_list",
        summary="Closures",
        description="Announced closures: public holidays, typhoons, sales-day stops. A public holiday "
        "closes the tiers that do not work on holidays.",
        parameters=[ClosuresQuery],
        responses=ClosureAnswer(many=True),
        tags=["reference"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, "from", "to", "city")
        query = ClosuresQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        params = query.validated_data
        first = params.get("from", timezone.localdate())
        last = _last(first, params.get("to"))
        closures = closures_between(first=first, last=last, city=params.get("city"), now=timezone.now())
        return Response(ClosureAnswer(closures, many=True).data)


def _version_id(tier_id: int, number: int | None) -> int | None:
    if number is None:
        return None
    version = TierVersion.objects.filter(tier_id=tier_id, number=number).first()
    if version is None:
        message = _("This tier has no version with that number.")
        raise InvalidInput(errors=[FieldError("/version", message, "unknown")])
    return version.pk


def _last(first: date, last: date | None) -> date:
    try:
        end = last or first + CLOSURE_DAYS_AHEAD
    except OverflowError:
        raise _span_error(_("The date is out of range")) from None
    if end < first:
        raise _span_error(_("The last day is before the first."))
    if end - first > MOST_CLOSURE_DAYS:
        raise _span_error(_("At most %d days at once.") % MOST_CLOSURE_DAYS.days)
    return end


def _span_error(message: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError("/to", message, "range")])


def _answer_json(answer: Answer, ends: Ends) -> dict[str, Any]:
    return {
        "version": answer.version.number,
        "starts_at": timezone.localtime(answer.version.valid_from).isoformat(),
        "in_force": answer.is_in_force,
        "promise": None if answer.promise is None else _promise_json(answer.promise, ends),
        "refusal": answer.refusal,
    }


def _promise_json(promise: Promise, ends: Ends) -> dict[str, Any]:
    return {
        "original": promise.deliver_by.isoformat(),
        "current": promise.deliver_by.isoformat(),
        "pickup_date": promise.effective_date.isoformat(),
        "pickup_by": promise.pickup_by.isoformat(),
        "cut_off_at": promise.cut_off_at.isoformat(),
        "rolled": promise.rolled,
        "rolled_days": promise.rolled_days,
        "note": rolled_text(promise, ends),
        "steps": [_step_json(step, ends) for step in promise.steps],
    }


def _step_json(step: Step, ends: Ends) -> dict[str, Any]:
    return {
        "code": step.code.value,
        "day": step.day and step.day.isoformat(),
        "at": step.at and step.at.isoformat(),
        "text": step_text(step, ends),
    }
