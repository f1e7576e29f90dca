"""The report on one breach: promise, lateness, attribution, excuses, credits."""

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
from slas.listed import with_names
from slas.revisions.models import Revision


class Journey(Protocol):
    """The times a parcel reached its last stages. A commitment stores them only once it is attempted."""

    arrived_at: datetime | None
    out_for_delivery_at: datetime | None


@dataclass(frozen=True, slots=True)
class BreachReport:
    """A breach as shown to courier, merchant and ops."""

    commitment: Commitment
    breach: Breach
    attribution: Attribution
    revisions: list[Revision]
    # The newest first.
    excuses: list[Excuse]
    # Empty for actors who may not see money.
    credits: list[CreditEntry]
    now: datetime
    # Why an excuse cannot be claimed; None if it can.
    obstacle: Conflict | None

    @property
    def stands(self) -> bool:
        return self.breach.withdrawn_at is None

    @property
    def city(self) -> City:
        """The city where it fell due."""
        place: City = (
            self.commitment.origin
            if self.commitment.kind == CommitmentKind.PICKUP
            else self.commitment.destination
        )
        return place

    @property
    def promised_at(self) -> datetime:
        due_at: datetime = self.revisions[0].previous_due_at if self.revisions else self.commitment.due_at
        return due_at

    @property
    def late_by(self) -> timedelta | None:
        """How late it is or was; None if it was not late after all."""
        lateness = (self.commitment.reached_at or self.now) - self.commitment.due_at
        return lateness if self.stands and lateness > timedelta() else None

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
    """Return the report on a breach. `remarks` are reasons given by scans.

    Raises NotPermitted for actors who may not see breaches, NotFound if the actor sees no such breach.
    """
    require(actor, Capability.VIEW_RATES)
    breach = Breach.objects.visible_to(actor).filter(parcel_id=parcel_id, kind=kind).first()
    commitments = {
        commitment_row.kind: commitment_row
        for commitment_row in with_names(
            Commitment.objects.visible_to(actor).filter(parcel_id=parcel_id).select_related("version")
        )
    }
    commitment = commitments.get(str(kind))
    if breach is None or commitment is None:
        raise NotFound
    pickup = commitments.get(CommitmentKind.PICKUP) if kind != CommitmentKind.PICKUP else None
    for name in ("arrived_at", "out_for_delivery_at"):
        setattr(commitment, name, getattr(commitment, name) or getattr(journey, name))
    of_breach = {"parcel_id": parcel_id, "kind": kind}
    excuses = Excuse.objects.visible_to(actor).filter(**of_breach).order_by("-pk")
    # Read apart: on a cluster users are not where the parcel is.
    rows = list(excuses.prefetch_related("disruption", "closure", "decided_by"))
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
    # As with fees: for those who book parcels or keep the books.
    if not (actor.can(Capability.VIEW_FINANCE) or actor.can(Capability.BOOK_PARCELS)):
        return []
    return list(CreditEntry.objects.visible_to(actor).filter(**of_breach).order_by("pk"))
