"""Reads of pickup requests."""

from datetime import date, datetime
from typing import Self

from django.db.models import Q

from alliance.choices import OrganisationKind
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
        """Those that wait for the actor's side: asked for, proposed, or asked to be moved."""
        other = OrganisationKind.MERCHANT if actor.is_courier else OrganisationKind.COURIER
        moves = Q(state=PickupState.ACCEPTED, move_asked_by=other, ends_at__gt=now, proposed_ends_at__gt=now)
        first = Q(state=PickupState.REQUESTED, ends_at__gt=now)
        if not actor.is_courier:
            first = Q(state=PickupState.PROPOSED, proposed_ends_at__gt=now)
        return self.visible_to(actor).filter(first | moves)

    def over_and_uncounted(self, now: datetime) -> Self:
        """Agreed ones whose window is over, and of which nobody has counted what was missed."""
        return self.filter(state=PickupState.ACCEPTED, missed__isnull=True, ends_at__lte=now)

    def with_missed(self, has_missed: bool) -> Self:
        """Those of whose parcels some were missed, as last counted; or none, as far as is known."""
        return self.filter(missed__gt=0) if has_missed else self.filter(Q(missed=0) | Q(missed=None))

    def agreed_on(self, day: date) -> Self:
        return self.filter(state=PickupState.ACCEPTED, day=day).order_by("starts_at", "id")
