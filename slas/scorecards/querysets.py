"""Reads of scorecards."""

from typing import Self

from alliance.tenancy import Actor, TenantQuerySet


class ScorecardQuerySet(TenantQuerySet):
    """Visible to its own courier only; merchants see grades in quotes, not scorecards."""

    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(courier_id=actor.organisation_id)
