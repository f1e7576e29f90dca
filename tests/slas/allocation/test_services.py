"""Changing rules: what is refused, and who may."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from alliance.choices import Role
from alliance.cities import Province
from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.members.services.actors import actor_of_organisation
from alliance.models import AuditEntry, City, Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.allocation import services
from slas.allocation.models import AllocationRule
from slas.allocation.services import RuleTerms, delete_rule, move_rule, own_rules, save_rule, switch_rule
from tests.slas.helpers.allocation import rule


def problems(merchant: Actor, **terms: Any) -> list[tuple[str, str]]:
    values: dict[str, Any] = {"name": "Any", "action": "stop", **terms}
    with scope(Scope.of(merchant)), pytest.raises(InvalidInput) as refusal:
        save_rule(actor=merchant, rule_id=None, terms=RuleTerms(**values))
    return [(error.pointer, error.code) for error in refusal.value.errors]


def names(merchant: Actor) -> list[str]:
    with scope(Scope.of(merchant)):
        return [each.name for each in own_rules(merchant)]


def test_a_rule_keeps_what_its_action_uses_and_is_audited(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, everything: None
) -> None:
    made = rule(
        merchant, " Heavy  to Hunan ", "cheapest", least_score=950, most_fen=5,
        couriers=[courier_organisation], origin=hangzhou, destination=Province("CN", "Hunan"),
        least_g=20_000, reference_prefix="Ｂ2B",
    )  # fmt: skip
    made.refresh_from_db()
    assert (made.name, made.least_score, made.most_fen, made.couriers) == ("Heavy to Hunan", 950, 0, {})
    assert (made.origin, made.origin_province, made.destination, made.destination_province) == (
        hangzhou, "", None, "Hunan",
    )  # fmt: skip
    assert (made.least_g, made.reference_prefix) == (20_000, "B2B")
    entry = AuditEntry.objects.get(verb="allocation_rule.added")
    assert entry.detail["least_score"] == 950


def test_what_is_wrong_with_a_rule(
    merchant: Actor, courier_organisation: Organisation, rival_courier: Organisation
) -> None:
    one, two = courier_organisation.pk, rival_courier.pk
    rule(merchant, "Mine", "stop")
    assert problems(merchant, name=" ") == [("/name", "required")]
    assert problems(merchant, name="Mine") == [("/name", "taken")]
    assert problems(merchant, name="x" * 61) == [("/name", "max_length")]
    assert problems(merchant, action="fly") == [("/action", "choice")]
    assert problems(merchant, least_g=2, most_g=1) == [("/most_g", "range")]
    assert problems(merchant, least_g=0) == [("/least_g", "range")]
    assert problems(merchant, action="only") == [("/couriers", "required")]
    assert problems(merchant, action="never", couriers={10**9: None}) == [("/couriers", "unknown")]
    assert problems(merchant, action="split", couriers={one: 100}) == [("/couriers", "too_few")]
    assert problems(merchant, action="split", couriers={one: 60, two: 30}) == [("/couriers", "sum")]
    assert problems(merchant, action="split", couriers={one: 100, two: None}) == [("/couriers", "range")]
    assert problems(merchant, action="cheapest", least_score=1_001) == [("/least_reliability", "range")]
    assert problems(merchant, action="most_reliable") == [("/highest_price", "range")]


def test_rules_change_places_and_the_ends_stay(merchant: Actor) -> None:
    first, _second, last = (rule(merchant, name, "stop") for name in ("A", "B", "C"))
    with scope(Scope.of(merchant)):
        move_rule(actor=merchant, rule_id=first.pk, up=True)
        move_rule(actor=merchant, rule_id=last.pk, up=True)
        move_rule(actor=merchant, rule_id=first.pk, up=False)
    assert names(merchant) == ["C", "A", "B"]


def test_switching_and_deleting(merchant: Actor) -> None:
    made = rule(merchant, "A", "stop")
    with scope(Scope.of(merchant)):
        assert not switch_rule(actor=merchant, rule_id=made.pk, is_active=False).is_active
        delete_rule(actor=merchant, rule_id=made.pk)
        with pytest.raises(NotFound):
            delete_rule(actor=merchant, rule_id=made.pk)
    assert names(merchant) == []


def test_there_is_a_most(merchant: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_RULES", 1)
    rule(merchant, "A", "stop")
    with pytest.raises(Conflict, match="1 rules"):
        rule(merchant, "B", "stop")


def test_agents_read_rules_and_managers_change_them(
    merchant: Actor, merchant_organisation: Organisation
) -> None:
    rule(merchant, "A", "stop")
    agent = actor_of_organisation(merchant_organisation, kind="user", role=Role.AGENT, label="agent")
    assert names(agent) == ["A"]
    with pytest.raises(NotPermitted):
        rule(agent, "B", "stop")
    manager = actor_of_organisation(merchant_organisation, kind="user", role=Role.MANAGER, label="manager")
    rule(manager, "B", "stop")


def test_rules_of_others_are_not_there(merchant: Actor, courier: Actor, rival_merchant: Organisation) -> None:
    made = rule(merchant, "A", "stop")
    rival = actor_of_organisation(rival_merchant, kind="user", role=Role.OWNER, label="rival")
    assert names(rival) == []
    with scope(Scope.of(rival)), pytest.raises(NotFound):
        switch_rule(actor=rival, rule_id=made.pk, is_active=False)
    with scope(Scope.of(courier)):
        assert not AllocationRule.objects.exists()


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"least_g": 2, "most_g": 1}, "allocation_rule_weights_ordered"),
        ({"action": "fly"}, "allocation_rule_action_known"),
        ({"least_score": 1_001}, "allocation_rule_score_is_ratio"),
    ],
)
def test_the_database_refuses_nonsense(
    merchant: Actor, values: dict[str, Any], constraint: str, everything: None
) -> None:
    made = rule(merchant, "A", "stop")
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        AllocationRule.objects.filter(pk=made.pk).update(**values)


def test_the_database_refuses_an_end_that_is_city_and_province(
    merchant: Actor, hangzhou: City, everything: None
) -> None:
    made = rule(merchant, "A", "stop", origin=hangzhou)
    with pytest.raises(IntegrityError, match="allocation_rule_ends_single"), transaction.atomic():
        AllocationRule.objects.filter(pk=made.pk).update(origin_province="Hunan", origin_country="CN")
