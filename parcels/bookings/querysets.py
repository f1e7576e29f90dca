"""Reads of parcels and of what merchants own."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.db.models import Case, F, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce

from alliance.identifiers import (
    END_OF_IDS,
    EPOCH,
    parcel_id_at,
)
from alliance.tenancy import Actor, TenantQuerySet
from couriers.models import Courier
from slas.choices import CommitmentKind, Outcome
from slas.models import Commitment, ServiceTier

# Sorts behind every text in the collation "C".
_LAST_CHARACTER = "\U0010ffff"


class MovedQuerySet(TenantQuerySet):
    """Rows seen by the parcel's merchant and its courier, and by nobody else's."""

    def visible_to_member(self, actor: Actor) -> Self:
        if actor.is_courier:
            return self.filter(courier_id=actor.organisation_id)
        return self.filter(merchant_id=actor.organisation_id)


class ParcelQuerySet(MovedQuerySet):
    def with_names(self) -> Self:
        """Fetch along what is said about each parcel: who, how fast, from where to where.

        For parcels known by id. A list picks its page first, see `named`.
        """
        return self.select_related(
            "merchant__organisation", "courier__organisation", "tier", "origin", "destination"
        )

    def named(self, page: Iterable[Any]) -> list[Any]:
        """Read a page of parcels again, with names, in one query.

        Joined in the query that picks the page, the policies of the other tables make the planner
        expect next to nothing, and so read and sort a merchant's every parcel for each page.
        """
        ids = [parcel.pk for parcel in page]
        found = self.model._default_manager.with_names().in_bulk(ids)
        return [found[pk] for pk in ids if pk in found]

    def referenced(self, beginning: str) -> Self:
        """Parcels whose reference begins so, upper and lower case told apart.

        A range and not LIKE: only leakproof operators may use an index under row-level security.
        """
        return self.filter(reference__gte=beginning, reference__lt=beginning + _LAST_CHARACTER)

    def under_every_courier(self) -> Self:
        """The same parcels. For searches by reference of all couriers: its index is led by the courier."""
        return self.filter(courier_id__in=list(Courier.objects.values_list("pk", flat=True)))

    def booked_between(self, first: date | None, last: date | None, *, zone: ZoneInfo) -> Self:
        """Parcels booked on these local days, both included; None leaves that end open.

        Ids carry the time of booking: days are a range of the index that lists are read by, and
        leave the other months' partitions alone.
        """
        found = self
        if first is not None:
            found = found.filter(pk__gte=_first_id(first, zone))
        if last is not None:
            found = found.filter(pk__lt=_first_id(min(last, END_OF_IDS.date()) + timedelta(days=1), zone))
        return found

    def of_tier(self, code: str) -> Self:
        # A value, not a join, for the planner's sake: see `named`.
        return self.filter(tier_id=Subquery(ServiceTier.objects.filter(code=code).order_by().values("pk")))

    def overdue(self, *, now: datetime) -> Self:
        """Past the promise with no valid attempt yet, whether the sweep has been there or not."""
        return self._standing(now, [Outcome.OVERDUE])

    def delivered_late(self) -> Self:
        """Attempted or delivered after the promise."""
        return self.annotate(_outcome=_delivery_outcome(None)).filter(_outcome=Outcome.LATE)

    def late(self, *, now: datetime) -> Self:
        """Either of the two."""
        return self._standing(now, [Outcome.OVERDUE, Outcome.LATE])

    def not_late(self, *, now: datetime) -> Self:
        """Neither of the two: on time, not yet due, or called off."""
        return self._standing(now, [Outcome.PENDING, Outcome.MET, Outcome.VOID])

    def _standing(self, now: datetime, outcomes: list[Outcome]) -> Self:
        return self.annotate(_outcome=_delivery_outcome(now)).filter(_outcome__in=outcomes)


class MerchantOwnedQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(merchant_id=actor.organisation_id)


def _delivery_outcome(now: datetime | None) -> Coalesce:
    """What became of the delivery by now: a lookup a row, so that lists stop when a page is full."""
    outcome: Any = F("outcome")
    if now is not None:
        overdue = When(outcome=Outcome.PENDING, due_at__lt=now, then=Value(Outcome.OVERDUE.value))
        outcome = Case(overdue, default=F("outcome"))
    promised = Commitment.objects.filter(parcel_id=OuterRef("pk"), kind=CommitmentKind.DELIVERY)
    # A parcel nothing was promised for is not late.
    return Coalesce(Subquery(promised.values_list(outcome)), Value(Outcome.VOID.value))


def _first_id(day: date, zone: ZoneInfo) -> int:
    """The lowest parcel id of a local day, or of the first or last day that ids reach."""
    start = datetime.combine(min(max(day, EPOCH.date()), END_OF_IDS.date()), time.min, zone)
    return parcel_id_at(min(max(start, EPOCH), END_OF_IDS - timedelta(milliseconds=1)))
