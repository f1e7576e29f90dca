"""Allocation rules for tests."""

from typing import Any

from alliance.tenancy import Actor, Scope, scope
from slas.allocation.models import AllocationRule
from slas.allocation.services import RuleTerms, save_rule


def rule(merchant: Actor, name: str, action: str, **terms: Any) -> AllocationRule:
    """A rule behind the merchant's others. `couriers` are organisations, or their shares of a split."""
    couriers = terms.pop("couriers", {})
    shares = couriers if isinstance(couriers, dict) else dict.fromkeys(couriers)
    by_id = {organisation.pk: share for organisation, share in shares.items()}
    with scope(Scope.of(merchant)):
        return save_rule(actor=merchant, rule_id=None, terms=RuleTerms(name, action, couriers=by_id, **terms))
