"""What a month of freight is made of: a line a fee, a cancellation and a surcharge."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import Q

from alliance.models import Organisation
from couriers.homes.lists import at_homes
from parcels.bookings.models import Parcel
from parcels.bookings.querysets import first_id
from parcels.freight.models import Surcharge
from parcels.freight.queries import surcharges_of
from slas.credits.accounts import Account
from slas.credits.months import ZONE, next_month, start_of
from slas.listed import TIERS
from slas.promises.prices import yuan

BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class FreightLine:
    """One line; a cancellation is negative."""

    kind: str
    at: datetime
    number: str
    reference: str
    service: str
    counterparty: str
    amount_fen: int
    note: str = ""

    @property
    def amount(self) -> str:
        return yuan(self.amount_fen)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next lines begin: in which part, after which parcel."""

    part: int = 0
    after: int = 0


def lines_of(account: Account, month: date, place: Place) -> tuple[list[FreightLine], Place | None]:
    """Return the next lines of a month after a place, and the place of those that follow; None at the end."""
    if place.part == 2:
        return list(_of_surcharges(account, surcharges_of(account, month))), None
    is_cancelled = place.part == 1
    if is_cancelled:
        of_month = Q(cancelled_at__gte=start_of(month), cancelled_at__lt=start_of(next_month(month)))
    else:
        of_month = Q(pk__gte=first_id(month, ZONE), pk__lt=first_id(next_month(month), ZONE))
    parcels = Parcel.objects.visible_to(account.reader).filter(
        of_month, Q((account.column, account.organisation.pk)), pk__gt=place.after, fee_fen__isnull=False
    )
    page = list(at_homes(parcels.order_by("pk"), most=BATCH)[:BATCH])
    lines = list(_of_parcels(account, page, is_cancelled))
    if len(page) < BATCH:
        return lines, Place(place.part + 1)
    return lines, Place(place.part, page[-1].pk)


def _of_parcels(account: Account, parcels: list[Parcel], is_cancelled: bool) -> Iterator[FreightLine]:
    names = _names(account, parcels)
    tiers = {tier.pk: tier.code for tier in TIERS.every()}
    for parcel in parcels:
        fee_fen, cancelled_at = parcel.fee_fen or 0, parcel.cancelled_at
        yield FreightLine(
            kind="cancellation" if is_cancelled else "fee",
            at=cancelled_at if is_cancelled and cancelled_at else parcel.booked_at,
            number=parcel.number,
            reference=parcel.reference,
            service=tiers.get(parcel.tier_id, ""),
            counterparty=names.get(getattr(parcel, account.other_column), ""),
            amount_fen=-fee_fen if is_cancelled else fee_fen,
        )


def _of_surcharges(account: Account, surcharges: list[Surcharge]) -> Iterator[FreightLine]:
    names = _names(account, surcharges)
    for each in surcharges:
        yield FreightLine(
            kind="surcharge",
            at=each.entered_at,
            number=each.parcel_number,
            reference="",
            service="",
            counterparty=names.get(getattr(each, account.other_column), ""),
            amount_fen=each.amount_fen,
            note=each.reason,
        )


def _names(account: Account, rows: list[Any]) -> dict[int, str]:
    # Read apart: parcels and organisations are in different places on a cluster.
    ids = {getattr(row, account.other_column) for row in rows}
    return dict(Organisation.objects.filter(pk__in=ids).values_list("pk", "name"))
