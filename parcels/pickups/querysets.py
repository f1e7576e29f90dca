"""Reads of pickup requests."""

from datetime import date, datetime
from typing import Self

from django.db.models import Q

from alliance.tenancy import Actor
from parcels.bookings.querysets import MovedQuerySet
from parcels.choices import PickupState


class PickupQuerySet(MovedQuerySet):
    """Visible to their merchant and their courier alone."""

    def still_open(self, now: datetime) -> Self:
        """Those that may still come about: their parcels are in no other one."""
        return self.filter(
            Q(state__in=[PickupState.REQUESTED, PickupState.ACCEPTED], ends_at__gt=now)
            | Q(state=PickupState.PROPOSED, proposed_ends_at__gt=now)
        )

    def to_answer_by(self, actor: Actor, now: datetime) -> Self:
        """Those that wait for the actor's side."""
        if actor.is_courier:
            return self.visible_to(actor).filter(state=PickupState.REQUESTED, ends_at__gt=now)
        return self.visible_to(actor).filter(state=PickupState.PROPOSED, proposed_ends_at__gt=now)

    def agreed_on(self, day: date) -> Self:
        return self.filter(state=PickupState.ACCEPTED, day=day).order_by("starts_at", "id")
