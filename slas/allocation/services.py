"""Change the rules by which a merchant chooses among couriers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.cities import Province
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.locks import Lock, wait_for
from alliance.models import City
from alliance.tenancy import Actor, require
from alliance.text_faults import fault_of
from alliance.texts import one_line, plain
from couriers.models import Courier
from slas.allocation.models import AllocationRule
from slas.allocation.querysets import AllocationRuleQuerySet
from slas.allocation.rules import OF_COURIERS
from slas.choices import RuleAction
from slas.promises.models import ServiceTier

MOST_RULES: Final = 50
NAME_LENGTH: Final = 60
PREFIX_LENGTH: Final = 64
MOST_GRAMS: Final = 1_000_000
MOST_FEN: Final = 100_000_000
MOST_COURIERS: Final = 50
WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What a rule says; see `slas.allocation.rules.Rule`. What its action does not use is not kept."""

    name: str
    action: str
    tier: ServiceTier | None = None
    origin: City | Province | None = None
    destination: City | Province | None = None
    least_g: int | None = None
    most_g: int | None = None
    least_declared_fen: int | None = None
    most_declared_fen: int | None = None
    reference_prefix: str = ""
    # Courier id -> percent of a split.
    couriers: Mapping[int, int | None] = field(default_factory=dict)
    # Tenths of a percent.
    least_score: int | None = None
    most_fen: int | None = None
    stops: bool = False
    is_active: bool = True


def own_rules(actor: Actor) -> AllocationRuleQuerySet:
    """Return the merchant's rules in order. Raises NotFound for whom is no merchant."""
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    rules: AllocationRuleQuerySet = AllocationRule.objects.visible_to(actor)
    return rules.select_related("tier", "origin", "destination").order_by("position")


def save_rule(*, actor: Actor, rule_id: int | None, terms: RuleTerms) -> AllocationRule:
    """Add a rule behind the others, or change one where it is.

    Raises InvalidInput, NotFound for another merchant's rule, Conflict beyond MOST_RULES.
    """
    with transaction.atomic():
        rules = {rule.pk: rule for rule in _locked(actor)}
        if rule_id is None and len(rules) >= MOST_RULES:
            message = _("You have %(most)d rules, the most there can be. Delete or change one of them.")
            raise Conflict(message % {"most": MOST_RULES}, code="too_many_rules")
        rule = AllocationRule(merchant_id=actor.tenant_id) if rule_id is None else rules.get(rule_id)
        if rule is None:
            raise NotFound
        taken = {other.name for other in rules.values() if other.pk != rule_id}
        if problems := list(_problems(terms, taken)):
            raise InvalidInput(errors=problems)
        _fill(rule, terms)
        if rule_id is None:
            rule.position = 1 + max((other.position for other in rules.values()), default=0)
        rule.save()
        _record(actor, "allocation_rule.added" if rule_id is None else "allocation_rule.changed", rule)
    return rule


def replace_rules(*, actor: Actor, terms: Sequence[RuleTerms]) -> list[AllocationRule]:
    """Make these the merchant's rules, in order: a rule of a name that was there stays that rule.

    Doing it again changes nothing. Raises InvalidInput with the place of each wrong rule.
    """
    with transaction.atomic():
        rules = {rule.name: rule for rule in _locked(actor)}
        if problems := list(_problems_of_all(terms)):
            raise InvalidInput(errors=problems)
        result = []
        for position, each in enumerate(terms, start=1):
            rule = rules.pop(one_line(each.name), None) or AllocationRule(merchant_id=actor.tenant_id)
            _fill(rule, each)
            rule.position = position
            rule.save()
            result.append(rule)
        for rule in rules.values():
            _record(actor, "allocation_rule.deleted", rule)
            rule.delete()
        for rule in result:
            _record(actor, "allocation_rule.replaced", rule)
    return result


def switch_rule(*, actor: Actor, rule_id: int, is_active: bool) -> AllocationRule:
    """Switch a rule on or off; doing it again changes nothing. Raises NotFound."""
    with transaction.atomic():
        rule = _one_of(_locked(actor), rule_id)
        if rule.is_active != is_active:
            rule.is_active, rule.changed_at = is_active, timezone.now()
            rule.save(update_fields=["is_active", "changed_at"])
            _record(actor, "allocation_rule.switched", rule)
    return rule


def move_rule(*, actor: Actor, rule_id: int, up: bool) -> AllocationRule:
    """Let a rule change places with the one before or after it; at the end it stays. Raises NotFound."""
    with transaction.atomic():
        rules = _locked(actor)
        rule = _one_of(rules, rule_id)
        place = rules.index(rule)
        other_place = place - 1 if up else place + 1
        if 0 <= other_place < len(rules):
            other = rules[other_place]
            rule.position, other.position = other.position, rule.position
            for each in (rule, other):
                each.changed_at = timezone.now()
                each.save(update_fields=["position", "changed_at"])
            _record(actor, "allocation_rule.moved", rule)
    return rule


def delete_rule(*, actor: Actor, rule_id: int) -> AllocationRule:
    """Delete a rule; the audit keeps what it said. Raises NotFound."""
    with transaction.atomic():
        rule = _one_of(_locked(actor), rule_id)
        _record(actor, "allocation_rule.deleted", rule)
        rule.delete()
    return rule


def _locked(actor: Actor) -> list[AllocationRule]:
    """Return the merchant's rules in order, of which no other call changes any until this one has ended."""
    require(actor, Capability.ALLOCATE)
    own = own_rules(actor)
    wait_for(Lock.CHANGE_RULES, of=actor.tenant_id)
    return list(own)


def _one_of(rules: list[AllocationRule], rule_id: int) -> AllocationRule:
    rule = next((rule for rule in rules if rule.pk == rule_id), None)
    if rule is None:
        raise NotFound
    return rule


def _fill(rule: AllocationRule, terms: RuleTerms) -> None:
    action = RuleAction(terms.action)
    is_split = action == RuleAction.SPLIT
    rule.name, rule.action, rule.tier = one_line(terms.name), action, terms.tier
    rule.least_g, rule.most_g = terms.least_g, terms.most_g
    rule.least_declared_fen, rule.most_declared_fen = terms.least_declared_fen, terms.most_declared_fen
    rule.reference_prefix = plain(terms.reference_prefix)
    rule.couriers = (
        {str(courier_id): (share or 0) if is_split else 0 for courier_id, share in terms.couriers.items()}
        if action in OF_COURIERS
        else {}
    )
    rule.least_score = terms.least_score or 0 if action == RuleAction.CHEAPEST else 0
    rule.most_fen = terms.most_fen or 0 if action == RuleAction.MOST_RELIABLE else 0
    rule.stops = terms.stops and action != RuleAction.STOP
    rule.is_active, rule.changed_at = terms.is_active, timezone.now()
    for end in ("origin", "destination"):
        area = getattr(terms, end)
        province = area if isinstance(area, Province) else Province("", "")
        setattr(rule, end, area if isinstance(area, City) else None)
        setattr(rule, f"{end}_country", province.country)
        setattr(rule, f"{end}_province", province.name_en)


def _record(actor: Actor, verb: str, rule: AllocationRule) -> None:
    # The whole rule: what an earlier booking was decided by can be read here.
    names = [each.attname for each in rule._meta.concrete_fields if each.attname not in ("id", "merchant_id")]
    detail: dict[str, Any] = {name: getattr(rule, name) for name in names}
    audit.record(actor=actor, verb=verb, object_type="allocation_rule", object_id=rule.pk, detail=detail)


# --- checks ------------------------------------------------------------------------------------


def _problems(terms: RuleTerms, taken: set[str]) -> Iterator[FieldError]:
    yield from _text_problems("/name", one_line(terms.name), NAME_LENGTH)
    if not one_line(terms.name):
        yield FieldError("/name", _("Give the rule a name: quotes show it."), "required")
    elif one_line(terms.name) in taken:
        yield FieldError("/name", _("You already have a rule of this name."), "taken")
    yield from _text_problems("/reference_prefix", plain(terms.reference_prefix), PREFIX_LENGTH)
    yield from _weight_problems(terms)
    yield from _value_problems(terms)
    if terms.action not in RuleAction.values:
        yield FieldError("/action", _("Choose what the rule does."), "choice")
    elif terms.action in OF_COURIERS:
        yield from _courier_problems(terms)
    elif terms.action == RuleAction.CHEAPEST and not 0 <= (terms.least_score or 0) <= 1000:
        yield FieldError("/least_reliability", _("Enter a percentage from 0 to 100."), "range")
    elif terms.action == RuleAction.MOST_RELIABLE and not 0 < (terms.most_fen or 0) <= MOST_FEN:
        yield FieldError("/highest_price", _("Enter the highest price of a parcel, above 0."), "range")


def _problems_of_all(terms: Sequence[RuleTerms]) -> Iterator[FieldError]:
    if len(terms) > MOST_RULES:
        yield FieldError("/rules", _("Send at most %d rules.") % MOST_RULES, "too_many")
        return
    taken: set[str] = set()
    for place, each in enumerate(terms):
        for problem in _problems(each, taken):
            yield FieldError(f"/rules/{place}{problem.pointer}", problem.message, problem.code)
        taken.add(one_line(each.name))


def _text_problems(pointer: str, text: str, limit: int) -> Iterator[FieldError]:
    if len(text) > limit:
        yield FieldError(pointer, _("Use at most %d characters.") % limit, "max_length")
    if fault := fault_of(text):
        yield FieldError(pointer, fault.message, fault.code)


def _weight_problems(terms: RuleTerms) -> Iterator[FieldError]:
    for name in ("least_g", "most_g"):
        grams = getattr(terms, name)
        if grams is not None and not 0 < grams <= MOST_GRAMS:
            yield FieldError(f"/{name}", _("Enter a weight above 0 and up to 1,000 kg."), "range")
    if terms.least_g and terms.most_g and terms.least_g > terms.most_g:
        message = _("The rule would hold for no parcel: this is less than the weight it begins at.")
        yield FieldError("/most_g", message, "range")


def _value_problems(terms: RuleTerms) -> Iterator[FieldError]:
    least, most = terms.least_declared_fen, terms.most_declared_fen
    for name, fen in (("least_declared_value", least), ("most_declared_value", most)):
        if fen is not None and not 0 <= fen <= MOST_FEN:
            yield FieldError(f"/{name}", _("Enter an amount from 0 to 1,000,000 yuan."), "range")
    if least is not None and most is not None and least > most:
        message = _("The rule would hold for no parcel: this is less than the value it begins at.")
        yield FieldError("/most_declared_value", message, "range")


def _courier_problems(terms: RuleTerms) -> Iterator[FieldError]:
    is_split = terms.action == RuleAction.SPLIT
    if not terms.couriers:
        yield FieldError("/couriers", _("Choose at least one courier."), "required")
    elif is_split and len(terms.couriers) < 2:
        yield FieldError("/couriers", _("A split needs at least two couriers."), "too_few")
    elif len(terms.couriers) > MOST_COURIERS:
        yield FieldError("/couriers", _("Choose at most %d couriers.") % MOST_COURIERS, "too_many")
    elif Courier.objects.filter(pk__in=terms.couriers).count() < len(terms.couriers):
        yield FieldError("/couriers", _("Unknown courier. Choose couriers of the alliance."), "unknown")
    elif is_split:
        shares = [share or 0 for share in terms.couriers.values()]
        if any(share < 1 for share in shares):
            message = _("Enter the share in percent of each courier that you chose, at least 1.")
            yield FieldError("/couriers", message, "range")
        elif sum(shares) != WHOLE:
            message = _("The shares add up to %(sum)d %%. They must add up to 100 %%.")
            yield FieldError("/couriers", message % {"sum": sum(shares)}, "sum")
