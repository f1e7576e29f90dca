"""Which of the couriers on sale a merchant's own rules choose. Pure.

Rules are taken in the merchant's order. Those that do not hold for the parcel, and those that find nothing to
do, are passed over. A rule is of one of three kinds:

- Limits (only, never) bind every booking, also one that names its courier: "only these" and "never the
  others" say the same. If they leave nobody, the booking is refused.
- Preferences (cheapest, most reliable, split) put the couriers that qualify first. The others follow as
  recommended, for days on which those are full. The first preference for which somebody qualifies decides;
  later ones do nothing. A booking that names its courier has chosen, so that no preference acts.
- Stop: no rule after it is looked at. Any rule may stop as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import log
from types import MappingProxyType
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from slas.choices import RuleAction
from slas.promises.closures import Place

LIMITS: Final = frozenset({RuleAction.ONLY, RuleAction.NEVER})
PREFERENCES: Final = frozenset({RuleAction.CHEAPEST, RuleAction.MOST_RELIABLE, RuleAction.SPLIT})
# Actions that name couriers.
OF_COURIERS: Final = LIMITS | {RuleAction.SPLIT}


class Candidate(Protocol):
    """An offer of one courier."""

    @property
    def courier_id(self) -> int: ...
    @property
    def price_fen(self) -> int: ...
    @property
    def score(self) -> float:
        """The record on the lane as the ranking counts it: a lower bound, from 0 to 1."""


O = TypeVar("O", bound=Candidate)  # noqa: E741 -- an offer


class Area(NamedTuple):
    """A city, or a province of a country by its English name."""

    city_id: int | None
    country: str = ""
    province: str = ""

    def has(self, place: Place) -> bool:
        if self.city_id is not None:
            return place.city_id == self.city_id
        return (place.country, place.province) == (self.country, self.province)


class Sent(NamedTuple):
    """What rules ask of a parcel besides its lane and tier."""

    weight_g: int
    reference: str = ""
    # What shares are drawn by: alike for a repeated booking. Without it the largest share comes first.
    drawn_by: str = ""
    # Nothing declared is 0.
    declared_fen: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are compared with."""

    tier_id: int
    origin: Place
    destination: Place
    sent: Sent


@dataclass(frozen=True, slots=True)
class Rule:
    """A merchant's rule. Conditions that are None or empty hold for every parcel."""

    id: int
    name: str
    action: RuleAction
    stops: bool = False
    tier_id: int | None = None
    origin: Area | None = None
    destination: Area | None = None
    # Both included.
    least_g: int | None = None
    most_g: int | None = None
    # Both included, as well.
    least_declared_fen: int | None = None
    most_declared_fen: int | None = None
    # Compared letter by letter, as references are.
    reference_prefix: str = ""
    # Courier id -> percent of a split; 0 otherwise.
    couriers: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    # Tenths of a percent, as fine as the score is.
    least_score: int = 0
    # Compared with the whole fee: the offer's price and the surcharge of the weight.
    most_fen: int = 0
    # Its place in the merchant's list.
    position: int = 0

    def holds(self, facts: Facts) -> bool:
        weight_g, reference, _drawn_by, declared_fen = facts.sent
        return (
            self.tier_id in {None, facts.tier_id}
            and (self.origin is None or self.origin.has(facts.origin))
            and (self.destination is None or self.destination.has(facts.destination))
            and (self.least_g is None or weight_g >= self.least_g)
            and (self.most_g is None or weight_g <= self.most_g)
            and (self.least_declared_fen is None or declared_fen >= self.least_declared_fen)
            and (self.most_declared_fen is None or declared_fen <= self.most_declared_fen)
            and reference.startswith(self.reference_prefix)
        )


class RuledOut(Exception):
    """A rule leaves no courier."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule.name)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Decision(Generic[O]):
    """The offers that are left, best first, and the rules that made it so."""

    offers: tuple[O, ...]
    preference: Rule | None = None
    # Those that the preference put first.
    preferred: tuple[O, ...] = ()
    # The last rule that took a courier away.
    limit: Rule | None = None

    def rule_of(self, offer: O) -> Rule | None:
        """Return the rule because of which an offer is taken, rather than by the ranking of all."""
        if self.preference is not None and offer in self.preferred:
            return self.preference
        return self.limit


def decide(
    rules: Sequence[Rule], facts: Facts, ranked: Sequence[O], *, surcharge_fen: int, is_named: bool = False
) -> Decision[O]:
    """Apply the rules to the ranked offers of a lane and tier. Raises RuledOut if they leave none.

    `is_named`: the booking names its courier, and `ranked` are that courier's.
    """
    left = tuple(ranked)
    preferred: tuple[O, ...] = ()
    preference: Rule | None = None
    limit: Rule | None = None
    for rule in rules:
        if not rule.holds(facts):
            continue
        if rule.action in LIMITS:
            kept = _within(rule, left)
            if not kept:
                raise RuledOut(rule)
            limit = limit if len(kept) == len(left) else rule
            left, preferred = kept, _within(rule, preferred)
        elif rule.action in PREFERENCES and preference is None and not is_named:
            preferred = _qualified(rule, left, surcharge_fen, facts.sent.drawn_by)
            preference = rule if preferred else None
        if rule.stops or rule.action == RuleAction.STOP:
            break
    rest = (offer for offer in left if offer not in preferred) if preferred else left
    return Decision((*preferred, *rest), preference, preferred, limit)


def _within(rule: Rule, offers: tuple[O, ...]) -> tuple[O, ...]:
    is_only = rule.action == RuleAction.ONLY
    return tuple(offer for offer in offers if (offer.courier_id in rule.couriers) == is_only)


def _qualified(rule: Rule, offers: tuple[O, ...], surcharge_fen: int, drawn_by: str) -> tuple[O, ...]:
    """Return the offers that a preference puts first, in its order; ties stay as ranked."""
    if rule.action == RuleAction.CHEAPEST:
        reliable = (offer for offer in offers if round(offer.score * 1000) >= rule.least_score)
        return tuple(sorted(reliable, key=lambda offer: offer.price_fen))
    if rule.action == RuleAction.MOST_RELIABLE:
        return tuple(offer for offer in offers if offer.price_fen + surcharge_fen <= rule.most_fen)
    sharing = [offer for offer in offers if offer.courier_id in rule.couriers]
    if not drawn_by:
        return tuple(sorted(sharing, key=lambda offer: -rule.couriers[offer.courier_id]))
    return tuple(sorted(sharing, key=lambda offer: _wait(rule, offer.courier_id, drawn_by)))


def _wait(rule: Rule, courier_id: int, drawn_by: str) -> float:
    """Draw a courier's waiting time: exponential, the shorter the larger its share.

    The shortest is each courier's with the odds of its share. Since each draws by itself, that also holds
    among those that are left when one is full or not on the lane: its share goes to them in proportion.
    """
    digest = blake2b(f"{rule.id}:{courier_id}:{drawn_by}".encode(), digest_size=8).digest()
    chance = (int.from_bytes(digest) + 1) / 2**64
    return -log(chance) / rule.couriers[courier_id]
