"""All there is to say about one breach: promise, lateness, who it is attributed to, excuses, credits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alliance.choices import Capability
from alliance.errors import Conflict, NotFound
from alliance.models import City
from alliance.tenancy import Actor, require
from slas.choices import CommitmentKind
from slas.commitments.attribution import Attribution, Remark, attribute
from slas.commitments.models import Breach, Commitment
from slas.credits.models import CreditEntry
from slas.excuses.models import Excuse
from slas.excuses.services.claims import claim_until, obstacle
from slas.revisions.models import Revision


class Journey(Protocol):
    """When a parcel first got how far. A commitment is told so only once it is tried."""

    arrived_at: datetime | None
    out_for_delivery_at: datetime | None


@dataclass(frozen=True, slots=True)
class BreachReport:
    """A breach as courier, merchant and ops read it."""

    commitment: Commitment
    breach: Breach
    attribution: Attribution
    revisions: list[Revision]
    # The newest first.
    excuses: list[Excuse]
    # Empty for whoever may not see money.
    credits: list[CreditEntry]
    now: datetime
    # What stands in the way of claiming an excuse; None is nothing.
    obstacle: Conflict | None

    @property
    def stands(self) -> bool:
        return self.breach.withdrawn_at is None

    @property
    def city(self) -> City:
        """Where it fell due."""
        place: City = (
            self.commitment.origin
            if self.commitment.kind == CommitmentKind.PICKUP
            else self.commitment.destination
        )
        return place

    @property
    def promised_at(self) -> datetime:
        """What was promised first, before anybody asked for a later day."""
        promised: datetime = self.revisions[0].previous_due_at if self.revisions else self.commitment.due_at
        return promised

    @property
    def late_by(self) -> timedelta | None:
        """By how much it is late, or was, or is by now; None when it was not late after all."""
        late = (self.commitment.reached_at or self.now) - self.commitment.due_at
        return late if self.stands and late > timedelta() else None

    @property
    def claim_until(self) -> datetime:
        return claim_until(self.breach)

    @property
    def credited_fen(self) -> int:
        return sum(entry.amount_fen for entry in self.credits)


def breach_report(
    *,
    actor: Actor,
    parcel_id: int,
    kind: CommitmentKind | str,
    journey: Journey,
    remarks: Iterable[Remark],
    now: datetime,
) -> BreachReport:
    """Gather all there is to say about a breach. `remarks` are reasons that scans gave.

    Raises NotPermitted for who may not see breaches, NotFound where the actor sees no such breach.
    """
    require(actor, Capability.VIEW_RATES)
    breach = Breach.objects.visible_to(actor).filter(parcel_id=parcel_id, kind=kind).first()
    commitments = {
        found.kind: found
        for found in Commitment.objects.visible_to(actor)
        .filter(parcel_id=parcel_id)
        .select_related("courier__organisation", "merchant", "tier", "origin", "destination", "version")
    }
    commitment = commitments.get(str(kind))
    if breach is None or commitment is None:
        raise NotFound
    pickup = commitments.get(CommitmentKind.PICKUP) if kind != CommitmentKind.PICKUP else None
    for name in ("arrived_at", "out_for_delivery_at"):
        setattr(commitment, name, getattr(commitment, name) or getattr(journey, name))
    of_breach = {"parcel_id": parcel_id, "kind": kind}
    excuses = Excuse.objects.visible_to(actor).filter(**of_breach).order_by("-pk")
    rows = list(excuses.select_related("disruption", "closure", "claimed_by", "decided_by"))
    return BreachReport(
        commitment=commitment,
        breach=breach,
        attribution=attribute(commitment, pickup=pickup, remarks=remarks, now=now),
        revisions=list(Revision.objects.visible_to(actor).filter(**of_breach)),
        excuses=rows,
        credits=_credits(actor, of_breach),
        now=now,
        obstacle=obstacle(commitment, breach, rows, now=now),
    )


def _credits(actor: Actor, of_breach: dict[str, object]) -> list[CreditEntry]:
    # As with fees: who books parcels, or keeps the books.
    if not (actor.can(Capability.VIEW_FINANCE) or actor.can(Capability.BOOK_PARCELS)):
        return []
    return list(CreditEntry.objects.visible_to(actor).filter(**of_breach).order_by("pk"))
