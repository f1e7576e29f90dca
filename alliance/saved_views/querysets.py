"""Reads of saved views."""

from typing import Self

from alliance.tenancy import Actor, TenantQuerySet


class SavedViewQuerySet(TenantQuerySet):
    def visible_to(self, actor: Actor) -> Self:
        """A user's own views, in the organisation the user works for: also colleagues see none of them."""
        if actor.user_id is None:
            return self.none()
        return self.filter(user_id=actor.user_id, organisation_id=actor.organisation_id)

    def live(self) -> Self:
        return self.filter(deleted_at=None)
