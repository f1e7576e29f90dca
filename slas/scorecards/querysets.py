"""Reads of scorecards."""

from typing import Self

from alliance.tenancy import Actor, TenantQuerySet


class ScorecardQuerySet(TenantQuerySet):
    """A courier's own; merchants see grades in quotes, not scorecards."""

    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(courier_id=actor.organisation_id)
