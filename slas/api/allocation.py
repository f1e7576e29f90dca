"""API of a merchant's allocation rules: the whole list is read, and written in order."""

from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.fields import MoneyField
from alliance.api.parsing import Body, BodyPart, WordField, refuse_unknown_parameters
from alliance.api.public_ids import PartyField, PublicIdField
from alliance.choices import Capability
from alliance.cities import MOST_LETTERS, UnknownCity, resolve_area
from alliance.errors import FieldError, InvalidInput
from alliance.models import City, Organisation
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import require
from slas.allocation.models import AllocationRule
from slas.allocation.rules import LIMITS, OF_COURIERS
from slas.allocation.services import (
    MOST_RULES,
    NAME_LENGTH,
    PREFIX_LENGTH,
    RuleTerms,
    own_rules,
    replace_rules,
)
from slas.api import examples
from slas.api.offers import PriceField
from slas.choices import RuleAction, TierCode
from slas.promises.models import ServiceTier
from slas.promises.prices import CURRENCY, yuan

S = serializers.Serializer[Any]
_USED_BY: Final = {
    "couriers": OF_COURIERS,
    "least_accountable_rate": {RuleAction.CHEAPEST},
    "highest_price": {RuleAction.MOST_RELIABLE},
}


class AreaField(serializers.CharField):
    """A city, or a province of China."""

    def run_validation(self, data: Any = empty) -> Any:
        text = super().run_validation(data)
        try:
            return resolve_area(text) if text else None
        except UnknownCity as error:
            raise serializers.ValidationError(str(error), code=error.code) from None


class ShareBody(BodyPart):
    courier = PartyField(IdKind.COURIER, help_text="Its id, as in quotes.")
    percent = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=100, help_text="Of a split only."
    )


class RuleBody(BodyPart):
    """One rule. Conditions that are left out hold for every parcel."""

    id = PublicIdField(
        IdKind.ALLOCATION_RULE,
        required=False,
        allow_null=True,
        help_text="Not looked at, so that what was read can be sent: the name says which rule it is.",
    )
    name = serializers.CharField(max_length=NAME_LENGTH, help_text="Unique; quotes show it.")
    active = serializers.BooleanField(default=True)
    tier = WordField(choices=TierCode.choices, required=False, allow_null=True)
    origin = AreaField(
        max_length=MOST_LETTERS,
        required=False,
        allow_null=True,
        help_text="City code or name, or a province such as “Hunan province”.",
    )
    destination = AreaField(max_length=MOST_LETTERS, required=False, allow_null=True)
    least_g = serializers.IntegerField(required=False, allow_null=True, help_text="Included.")
    most_g = serializers.IntegerField(required=False, allow_null=True, help_text="Included.")
    least_declared_value = PriceField(
        required=False, allow_null=True, help_text="CNY, included. A parcel without a declared value has 0."
    )
    most_declared_value = PriceField(required=False, allow_null=True, help_text="CNY, included.")
    reference_prefix = serializers.CharField(max_length=PREFIX_LENGTH, required=False, allow_blank=True)
    action = WordField(choices=RuleAction.choices)
    couriers = ShareBody(many=True, required=False, help_text="Of `only`, `never` and `split`.")
    least_accountable_rate = serializers.FloatField(
        min_value=0, max_value=1, required=False, allow_null=True, help_text="Of `cheapest`: 0 to 1."
    )
    highest_price = PriceField(required=False, allow_null=True, help_text="Of `most_reliable`: CNY.")
    stops = serializers.BooleanField(default=False, help_text="No rule after it is looked at.")


class RulesBody(Body):
    currency = WordField(choices=[CURRENCY], required=False, help_text="Of its amounts.")
    # Of a list; the stubs do not know it.
    rules = RuleBody(many=True, max_length=MOST_RULES, help_text="In order.")  # type: ignore[call-arg]


class CourierShareAnswer(S):
    courier = PartyField(IdKind.COURIER)
    percent = serializers.IntegerField(allow_null=True)


class OwnRuleAnswer(S):
    id = PublicIdField(IdKind.ALLOCATION_RULE)
    name = serializers.CharField()
    active = serializers.BooleanField()
    tier = serializers.ChoiceField(choices=TierCode.choices, allow_null=True)
    origin = serializers.CharField(allow_null=True)
    destination = serializers.CharField(allow_null=True)
    least_g = serializers.IntegerField(allow_null=True)
    most_g = serializers.IntegerField(allow_null=True)
    least_declared_value = MoneyField(allow_null=True)
    most_declared_value = MoneyField(allow_null=True)
    reference_prefix = serializers.CharField()
    action = serializers.ChoiceField(choices=RuleAction.choices)
    couriers = CourierShareAnswer(many=True)
    least_accountable_rate = serializers.FloatField(allow_null=True)
    highest_price = MoneyField(allow_null=True)
    stops = serializers.BooleanField()


class OwnRulesAnswer(S):
    currency = serializers.CharField()
    rules = OwnRuleAnswer(many=True)


class AllocationRulesView(APIView):
    """The merchant's rules."""

    @extend_schema(
        operation_id="allocation_rules_list",
        summary="List allocation rules",
        description="Your own rules, in the order in which bookings look at them.",
        responses=OwnRulesAnswer,
        tags=["allocation rules"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request)
        return Response(_answer(list(own_rules(actor_of(request)))))

    @extend_schema(
        operation_id="allocation_rules_replace",
        summary="Replace allocation rules",
        description="Adds, changes, orders and deletes: afterwards the rules are those of the body, in its "
        "order. A rule whose name was there stays the same rule. They count from the next booking on; "
        "sending them again changes nothing.",
        request=RulesBody,
        responses=OwnRulesAnswer,
        examples=examples.RULES,
        tags=["allocation rules"],
    )
    def put(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.ALLOCATE)
        own_rules(actor)
        body = RulesBody(data=request.data)
        body.is_valid(raise_exception=True)
        terms = _terms(body.validated_data["rules"])
        return Response(_answer(replace_rules(actor=actor, terms=terms)))


def _terms(given: list[dict[str, Any]]) -> list[RuleTerms]:
    named = {item["courier"] for rule in given for item in rule.get("couriers", ())}
    ids = {courier.public_id: courier.pk for courier in Organisation.objects.couriers_by_id(*named)}
    tiers = {tier.code: tier for tier in ServiceTier.objects.all()}
    terms: list[RuleTerms] = []
    errors: list[FieldError] = []
    for place, rule in enumerate(given):
        errors += _unused(place, rule)
        shares: dict[int, int | None] = {}
        for index, item in enumerate(rule.get("couriers", ())):
            pointer = f"/rules/{place}/couriers/{index}/courier"
            courier_id = ids.get(item["courier"])
            if courier_id is None:
                errors.append(FieldError(pointer, _("Unknown courier."), "unknown"))
            elif courier_id in shares:
                errors.append(FieldError(pointer, _("This courier is there twice."), "duplicate"))
            else:
                shares[courier_id] = item.get("percent")
        reliability = rule.get("least_accountable_rate")
        terms.append(
            RuleTerms(
                name=rule["name"],
                action=rule["action"],
                tier=tiers[rule["tier"]] if rule.get("tier") else None,
                origin=rule.get("origin"),
                destination=rule.get("destination"),
                least_g=rule.get("least_g"),
                most_g=rule.get("most_g"),
                least_declared_fen=rule.get("least_declared_value"),
                most_declared_fen=rule.get("most_declared_value"),
                reference_prefix=rule.get("reference_prefix", ""),
                couriers=shares,
                least_score=None if reliability is None else round(reliability * 1000),
                most_fen=rule.get("highest_price"),
                stops=rule["stops"],
                is_active=rule["active"],
            )
        )
    if errors:
        raise InvalidInput(errors=errors)
    return terms


def _unused(place: int, rule: dict[str, Any]) -> Iterator[FieldError]:
    """What a rule says and its action does not look at: whoever sends it means another action."""
    message = _("This action does not look at it. Leave it out, or choose another action.")
    for name, actions in _USED_BY.items():
        if rule["action"] not in actions and rule.get(name) not in (None, []):
            yield FieldError(f"/rules/{place}/{name}", message, "unused")
    for index, item in enumerate(rule.get("couriers", ())):
        if rule["action"] in LIMITS and item.get("percent") is not None:
            yield FieldError(f"/rules/{place}/couriers/{index}/percent", message, "unused")


def _answer(rules: list[AllocationRule]) -> dict[str, Any]:
    return {"currency": CURRENCY, "rules": [_rule_json(rule) for rule in rules]}


def _rule_json(rule: AllocationRule) -> dict[str, Any]:
    return {
        "id": public_id(IdKind.ALLOCATION_RULE, rule.pk),
        "name": rule.name,
        "active": rule.is_active,
        "tier": rule.tier.code if rule.tier else None,
        "origin": _area(rule.origin, rule.origin_province),
        "destination": _area(rule.destination, rule.destination_province),
        "least_g": rule.least_g,
        "most_g": rule.most_g,
        "least_declared_value": _amount(rule.least_declared_fen),
        "most_declared_value": _amount(rule.most_declared_fen),
        "reference_prefix": rule.reference_prefix,
        "action": rule.action,
        "couriers": [
            {"courier": public_id(IdKind.COURIER, int(pk)), "percent": share or None}
            for pk, share in rule.couriers.items()
        ],
        "least_accountable_rate": rule.least_score / 1000 if rule.action == RuleAction.CHEAPEST else None,
        "highest_price": yuan(rule.most_fen) if rule.most_fen else None,
        "stops": rule.stops,
    }


def _amount(fen: int | None) -> str | None:
    return None if fen is None else yuan(fen)


def _area(city: City | None, province: str) -> str | None:
    if city is not None:
        return city.code
    return f"{province} province" if province else None
