"""The pure rules: conditions, limits, preferences, and shares that hold."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slas.allocation.rules import Area, Decision, Facts, Rule, RuledOut, Sent, decide
from slas.choices import RuleAction
from slas.promises.closures import Place

HANGZHOU = Place(1, "Zhejiang", "CN", "Asia/Shanghai")
CHANGSHA = Place(2, "Hunan", "CN", "Asia/Shanghai")
FACTS = Facts(7, HANGZHOU, CHANGSHA, Sent(3_000, "B2B-1", "B2B-1", 50_000))


@dataclass(frozen=True, slots=True)
class Offer:
    courier_id: int
    price_fen: int
    score: float


# As ranked.
A, B, C = Offer(1, 1500, 0.97), Offer(2, 1100, 0.953), Offer(3, 900, 0.9)
RANKED = (A, B, C)
ids = iter(range(1, 10_000))


def rule(action: str, *couriers: int, **values: Any) -> Rule:
    shares = values.pop("shares", dict.fromkeys(couriers, 0))
    return Rule(next(ids), f"{action} {couriers}", RuleAction(action), couriers=shares, **values)


def result(
    *rules: Rule, facts: Facts = FACTS, surcharge_fen: int = 0, named: bool = False
) -> Decision[Offer]:
    return decide(rules, facts, RANKED, surcharge_fen=surcharge_fen, is_named=named)


# --- conditions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({}, True),
        ({"tier_id": 7}, True),
        ({"tier_id": 8}, False),
        ({"origin": Area(1)}, True),
        ({"origin": Area(2)}, False),
        ({"destination": Area(None, "CN", "Hunan")}, True),
        ({"destination": Area(None, "US", "Hunan")}, False),
        ({"origin": Area(None, "CN", "Hunan")}, False),
        ({"least_g": 3_000, "most_g": 3_000}, True),
        ({"least_g": 3_001}, False),
        ({"least_declared_fen": 50_000, "most_declared_fen": 50_000}, True),
        ({"least_declared_fen": 50_001}, False),
        ({"most_declared_fen": 49_999}, False),
        ({"most_g": 2_999}, False),
        ({"reference_prefix": "B2B"}, True),
        ({"reference_prefix": "b2b"}, False),
        ({"tier_id": 7, "reference_prefix": "SO"}, False),
    ],
)
def test_all_conditions_must_hold(conditions: dict[str, Any], holds: bool) -> None:
    assert rule("stop", **conditions).holds(FACTS) is holds


# --- limits -------------------------------------------------------------------------------------


def test_without_rules_offers_stay_as_ranked() -> None:
    assert result() == Decision(RANKED)


def test_only_and_never_limit_the_offers_and_keep_their_order() -> None:
    only, never = rule("only", 3, 2), rule("never", 3)
    assert result(only).offers == (B, C)
    both = result(only, never)
    assert (both.offers, both.limit, both.rule_of(B)) == ((B,), never, never)


def test_a_limit_that_takes_nobody_away_decides_nothing() -> None:
    assert result(rule("never", 9)).limit is None


@pytest.mark.parametrize("named", [False, True])
def test_limits_that_leave_nobody_say_which_rule_did(named: bool) -> None:
    last = rule("never", 2)
    with pytest.raises(RuledOut) as refusal:
        result(rule("only", 2), last, named=named)
    assert refusal.value.rule is last


# --- preferences --------------------------------------------------------------------------------


def test_the_cheapest_of_the_reliable_comes_first_then_the_others_as_ranked() -> None:
    cheapest = rule("cheapest", least_score=950)
    decision = result(cheapest)
    assert decision.offers == (B, A, C)
    assert (decision.preferred, decision.rule_of(B), decision.rule_of(C)) == ((B, A), cheapest, None)


def test_the_most_reliable_is_looked_for_below_the_price_of_the_whole_fee() -> None:
    reliable = rule("most_reliable", most_fen=1_200)
    assert result(reliable, surcharge_fen=100).offers == (B, C, A)
    assert result(reliable, surcharge_fen=101).offers == (C, A, B)


def test_a_preference_that_nobody_meets_leaves_it_to_the_next() -> None:
    second = rule("most_reliable", most_fen=950)
    decision = result(rule("cheapest", least_score=990), second)
    assert (decision.offers[0], decision.preference) == (C, second)


def test_the_first_preference_decides_and_later_limits_still_bind() -> None:
    first, never = rule("cheapest"), rule("never", 3)
    decision = result(first, rule("most_reliable", most_fen=2_000), never)
    assert (decision.offers, decision.preference) == ((B, A), first)


def test_stopping_ends_the_list() -> None:
    assert result(rule("stop"), rule("only", 3)).offers == RANKED
    assert result(rule("never", 1, stops=True), rule("only", 3)).offers == (B, C)
    other_tier = rule("stop", tier_id=8)
    assert result(other_tier, rule("only", 3)).offers == (C,)


def test_a_named_courier_has_been_preferred() -> None:
    assert result(rule("cheapest"), named=True).preference is None


# --- shares -------------------------------------------------------------------------------------


def drawn(split: Rule, count: int, offers: tuple[Offer, ...] = RANKED) -> Iterator[Offer]:
    for number in range(count):
        sent = Sent(1_000, f"SO-{number}", f"SO-{number}")
        yield decide([split], replace(FACTS, sent=sent), offers, surcharge_fen=0).offers[0]


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        (RANKED, {1: 0.5, 2: 0.3, 3: 0.2}),
        # The share of the one that is missing goes to the others in proportion.
        ((B, C), {2: 0.6, 3: 0.4}),
        ((A, C), {1: 5 / 7, 3: 2 / 7}),
    ],
)
def test_shares_hold_within_a_percent_over_many_bookings(
    offers: tuple[Offer, ...], expected: dict[int, float]
) -> None:
    split = Rule(1, "Split", RuleAction.SPLIT, couriers={1: 50, 2: 30, 3: 20})
    counts = Counter(offer.courier_id for offer in drawn(split, 20_000, offers))
    assert {pk: count / 20_000 for pk, count in counts.items()} == pytest.approx(expected, abs=0.01)


def test_the_next_in_line_is_drawn_by_the_shares_as_well() -> None:
    """When the drawn courier is full, the booking gets the one that it would get if that one were gone."""
    split = Rule(1, "Split", RuleAction.SPLIT, couriers={1: 50, 2: 30, 3: 20})
    for number in range(200):
        facts = replace(FACTS, sent=Sent(1_000, "", f"{number}"))
        first, second, *_rest = decide([split], facts, RANKED, surcharge_fen=0).offers
        others = tuple(offer for offer in RANKED if offer != first)
        assert decide([split], facts, others, surcharge_fen=0).offers[0] == second


def test_a_repeated_booking_draws_the_same() -> None:
    split = Rule(1, "Split", RuleAction.SPLIT, couriers={1: 50, 2: 50})
    assert list(drawn(split, 50)) == list(drawn(split, 50))


def test_without_anything_to_draw_by_the_largest_share_comes_first() -> None:
    split = Rule(1, "Split", RuleAction.SPLIT, couriers={1: 20, 3: 80})
    facts = replace(FACTS, sent=Sent(1_000))
    assert decide([split], facts, RANKED, surcharge_fen=0).offers == (C, A, B)


actions = st.sampled_from(list(RuleAction))
any_rule = st.builds(
    Rule,
    id=st.integers(1, 99),
    name=st.just("any"),
    action=actions,
    stops=st.booleans(),
    couriers=st.dictionaries(st.integers(1, 4), st.integers(1, 99), min_size=1),
    least_score=st.integers(0, 1000),
    most_fen=st.integers(1, 2_000),
)


@given(st.lists(any_rule, max_size=6), st.booleans())
def test_rules_only_order_and_take_away(rules: list[Rule], named: bool) -> None:
    try:
        decision = result(*rules, named=named)
    except RuledOut:
        return
    assert len(set(decision.offers)) == len(decision.offers) > 0
    assert set(decision.preferred) <= set(decision.offers) <= set(RANKED)
    assert decision.offers[: len(decision.preferred)] == decision.preferred
    assert len(decision.offers) == len(RANKED) or decision.limit is not None
