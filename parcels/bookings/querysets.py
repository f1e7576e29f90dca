"""Reads of parcels and of what merchants own."""

import re
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.db.models import (
    Case,
    DateField,
    DateTimeField,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Greatest

from alliance.identifiers import (
    END_OF_IDS,
    EPOCH,
    parcel_id_at,
)
from alliance.tenancy import Actor, TenantQuerySet
from couriers.homes.lists import parcel_ids
from couriers.models import Courier
from parcels.choices import ParcelStatus
from slas.choices import CommitmentKind, Outcome
from slas.models import Commitment, ServiceTier

# Sorts behind every text in the collation "C".
_LAST_CHARACTER = "\U0010ffff"
# Whatever has no capitals, and the letter after it.
_UP_TO_A_LETTER = re.compile(r"[^A-Za-z]*[A-Za-z]|[^A-Za-z]+")
# More ways to write one reference are no accident.
MOST_SPELLINGS = 32


class MovedQuerySet(TenantQuerySet):
    """Rows visible only to the parcel's merchant and its courier."""

    def visible_to_member(self, actor: Actor) -> Self:
        if actor.is_courier:
            return self.filter(courier_id=actor.organisation_id)
        return self.filter(merchant_id=actor.organisation_id)


class ParcelQuerySet(MovedQuerySet):
    def referenced(self, *prefixes: str) -> Self:
        """Parcels whose reference has one of these prefixes; case-sensitive.

        Ranges instead of LIKE: under row-level security, only leakproof operators can use an index.
        """
        ranges = (Q(reference__gte=prefix, reference__lt=prefix + _LAST_CHARACTER) for prefix in prefixes)
        return self.filter(reduce(or_, ranges)) if prefixes else self.none()

    def spellings_of(self, prefix: str, *, order: str = "reference") -> list[str]:
        """Return how references that begin with a text in any mix of capitals are written.

        Follows the index letter by letter, as upper() has no index that row-level security lets be used:
        a small and a capital letter are looked up, and only what exists is followed. The order makes the
        planner use the member's own index; over all members there is none of that order.
        """
        spellings = [""]
        for part in _UP_TO_A_LETTER.findall(prefix):
            variants = dict.fromkeys((part, part.upper(), part.lower()))
            longer = [spelling + variant for spelling in spellings for variant in variants]
            spellings = [text for text in longer if self._first_referenced(text, order)][:MOST_SPELLINGS]
        return spellings

    def _first_referenced(self, prefix: str, order: str) -> list[int]:
        # Not exists(), which drops the order.
        ordered = self.referenced(prefix).order_by(*filter(None, [order]))
        return parcel_ids(ordered[:1])

    def under_every_courier(self) -> Self:
        """The same parcels, for searches by reference across couriers: its index begins with the courier."""
        return self.filter(courier_id__in=list(Courier.objects.values_list("pk", flat=True)))

    def booked_between(self, first: date | None, last: date | None, *, zone: ZoneInfo) -> Self:
        """Parcels booked on these local days, both included; None means no limit on that side.

        Ids contain the time of booking: a range of days is a range of the index that lists use, and
        skips the partitions of other months.
        """
        queryset = self
        if first is not None:
            queryset = queryset.filter(pk__gte=first_id(first, zone))
        if last is not None:
            queryset = queryset.filter(
                pk__lt=first_id(min(last, END_OF_IDS.date()) + timedelta(days=1), zone)
            )
        return queryset

    def of_tier(self, code: str) -> Self:
        # A subquery instead of a join helps the planner: see slas/listed.py.
        return self.filter(tier_id=Subquery(ServiceTier.objects.filter(code=code).order_by().values("pk")))

    def returns(self, *, are: bool) -> Self:
        return self.filter(return_of_id__isnull=not are)

    def returned(self, *, are: bool) -> Self:
        """Parcels of which a return is open, or is not."""
        is_open = Q(returned_by_id__isnull=False, return_cancelled_at__isnull=True)
        return self.filter(is_open if are else ~is_open)

    def overdue(self, *, now: datetime) -> Self:
        """Parcels past due and still to come, also those that the sweep has not marked yet."""
        lost = Commitment.objects.never_to_come().filter(parcel_id=OuterRef("pk"))
        ended = [ParcelStatus.LOST, ParcelStatus.RETURNING, ParcelStatus.RETURNED]
        to_come = self._with_outcome(now, [Outcome.OVERDUE]).exclude(status__in=ended).exclude(Exists(lost))
        # Of what was refused and has a return, no delivery is to come.
        return to_come.returned(are=False)

    def delivered_late(self) -> Self:
        return self.annotate(_outcome=_delivery_outcome(None)).filter(_outcome=Outcome.LATE)

    def still_due(self, at: datetime) -> Self:
        """Parcels still to come whose day, as agreed now, is that of a moment at their destination."""
        agreed = Greatest(F("due_at"), Coalesce(F("revised_due_at"), F("due_at")))
        due = (
            Commitment.objects.filter(parcel_id=OuterRef("pk"), kind=CommitmentKind.DELIVERY)
            .filter(outcome__in=[Outcome.PENDING, Outcome.OVERDUE])
            .annotate(_day=_day_at_destination(agreed))
            .filter(_day=_day_at_destination(Value(at)))
        )
        # Not EXISTS, which the planner would join: see `_delivery_outcome`.
        return self.returned(are=False).annotate(_due=Subquery(due.values("kind"))).filter(_due__isnull=False)

    def late(self, *, now: datetime) -> Self:
        return self._with_outcome(now, [Outcome.OVERDUE, Outcome.LATE])

    def not_late(self, *, now: datetime) -> Self:
        return self._with_outcome(now, [Outcome.PENDING, Outcome.MET, Outcome.VOID])

    def _with_outcome(self, now: datetime, outcomes: list[Outcome]) -> Self:
        return self.annotate(_outcome=_delivery_outcome(now)).filter(_outcome__in=outcomes)


class MerchantOwnedQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(merchant_id=actor.organisation_id)


class PickupAddressQuerySet(MerchantOwnedQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return super().visible_to_member(actor).filter(removed_at__isnull=True)


def _delivery_outcome(now: datetime | None) -> Coalesce:
    """The delivery's outcome: one lookup per row, so that a list stops when its page is full."""
    outcome: Any = F("outcome")
    if now is not None:
        overdue = When(outcome=Outcome.PENDING, due_at__lt=now, then=Value(Outcome.OVERDUE.value))
        outcome = Case(overdue, default=F("outcome"))
    commitments = Commitment.objects.filter(parcel_id=OuterRef("pk"), kind=CommitmentKind.DELIVERY)
    # A parcel without a delivery commitment is not late.
    return Coalesce(Subquery(commitments.values_list(outcome)), Value(Outcome.VOID.value))


def _day_at_destination(moment: Any) -> Cast:
    clock = Func(F("destination__time_zone"), moment, function="timezone", output_field=DateTimeField())
    return Cast(clock, DateField())


def first_id(day: date, zone: ZoneInfo) -> int:
    """The lowest parcel id of a local day; days outside the range of ids are clamped to it."""
    start = datetime.combine(min(max(day, EPOCH.date()), END_OF_IDS.date()), time.min, zone)
    return parcel_id_at(min(max(start, EPOCH), END_OF_IDS - timedelta(milliseconds=1)))
