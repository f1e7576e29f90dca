"""A merchant's rules in the form the pure rules read, kept in the process by a hash of their rows.

A booking reads the hash with the offers, in the same message (see slas/offers/sql.py), so that a change made
anywhere is seen by the next one, and a merchant without rules costs a look into an index.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from slas.allocation.models import AllocationRule
from slas.allocation.rules import Area, Rule
from slas.choices import RuleAction

# A scalar expression; NULL without rules. Rows have the moment of their last change: no hash comes twice.
RULES_STAMP: Final = """(
    SELECT sum(hashtextextended(r::text, 4))::text FROM slas_allocationrule r
    WHERE r.merchant_id = %(merchant_id)s
)"""


def rules_in_force(merchant_id: int | None, stamp: str | None) -> Sequence[Rule]:
    """Return the merchant's rules that are on, in order. `stamp` is the value of RULES_STAMP."""
    return _rules(merchant_id, stamp) if merchant_id is not None and stamp is not None else ()


@lru_cache(maxsize=1024)
def _rules(merchant_id: int, _stamp: str) -> tuple[Rule, ...]:
    rows = AllocationRule.objects.filter(merchant_id=merchant_id, is_active=True).order_by("position")
    return tuple(map(rule_of, rows))


def rule_of(row: AllocationRule) -> Rule:
    return Rule(
        id=row.pk,
        name=row.name,
        action=RuleAction(row.action),
        stops=row.stops,
        tier_id=row.tier_id,
        origin=_area(row.origin_id, row.origin_country, row.origin_province),
        destination=_area(row.destination_id, row.destination_country, row.destination_province),
        least_g=row.least_g,
        most_g=row.most_g,
        least_declared_fen=row.least_declared_fen,
        most_declared_fen=row.most_declared_fen,
        reference_prefix=row.reference_prefix,
        couriers={int(courier_id): int(share) for courier_id, share in row.couriers.items()},
        least_score=row.least_score,
        most_fen=row.most_fen,
        position=row.position,
    )


def _area(city_id: int | None, country: str, province: str) -> Area | None:
    return Area(city_id, country, province) if city_id is not None or province else None
