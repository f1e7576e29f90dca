"""Reads of parcels, scans and what belongs to them."""

from datetime import date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q

from alliance.identifiers import (
    END_OF_IDS,
    EPOCH,
    InvalidTrackingNumber,
    parcel_id_at,
    parse_tracking_number,
)
from alliance.tenancy import Actor, TenantQuerySet
from slas.choices import CommitmentKind, Outcome
from slas.models import Commitment

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
        """Fetch along what a list says about each parcel: who, how fast, from where to where."""
        return self.select_related(
            "merchant__organisation", "courier__organisation", "tier", "origin", "destination"
        )

    def referenced(self, beginning: str) -> Self:
        """Parcels whose reference begins so, upper and lower case told apart.

        A range and not LIKE: only leakproof operators may use an index under row-level security.
        """
        return self.filter(reference__gte=beginning, reference__lt=beginning + _LAST_CHARACTER)

    def matching(self, text: str) -> Self:
        """The parcel of a tracking number in any spelling; else those whose reference begins so."""
        try:
            return self.filter(pk=parse_tracking_number(text))
        except InvalidTrackingNumber:
            return self.referenced(text)

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

    def overdue(self, *, now: datetime) -> Self:
        """Past the promise with no valid attempt yet, whether the sweep has been there or not."""
        return self.filter(_delivery(_overdue(now)))

    def delivered_late(self) -> Self:
        """Attempted or delivered after the promise."""
        return self.filter(_delivery(Q(outcome=Outcome.LATE)))

    def late(self, *, now: datetime) -> Self:
        """Either of the two."""
        return self.filter(_delivery(Q(outcome=Outcome.LATE) | _overdue(now)))

    def not_late(self, *, now: datetime) -> Self:
        """Neither of the two: on time, not yet due, or called off."""
        return self.filter(~_delivery(Q(outcome=Outcome.LATE) | _overdue(now)))


class MerchantOwnedQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(merchant_id=actor.organisation_id)


def _overdue(now: datetime) -> Q:
    return Q(outcome=Outcome.OVERDUE) | Q(outcome=Outcome.PENDING, due_at__lt=now)


def _delivery(condition: Q) -> Any:
    commitments = Commitment.objects.filter(parcel_id=OuterRef("pk"), kind=CommitmentKind.DELIVERY)
    return Exists(commitments.filter(condition))


def _first_id(day: date, zone: ZoneInfo) -> int:
    """The lowest parcel id of a local day, or of the first or last day that ids reach."""
    start = datetime.combine(min(max(day, EPOCH.date()), END_OF_IDS.date()), time.min, zone)
    return parcel_id_at(min(max(start, EPOCH), END_OF_IDS - timedelta(milliseconds=1)))
