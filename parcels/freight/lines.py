"""What a month of freight is made of: a line a fee, a cancellation, a surcharge and a credit."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import Q
from django.utils.translation import gettext as _

from alliance.errors import Gone
from alliance.models import Organisation, RetiredMonth
from couriers.homes.lists import at_homes
from parcels.bookings.models import Parcel
from parcels.bookings.querysets import first_id
from parcels.choices import FreightKind
from parcels.freight.models import Surcharge
from parcels.freight.queries import own_rows
from slas.credits.accounts import Account
from slas.credits.models import CreditEntry
from slas.credits.months import ZONE, next_month, spell, start_of
from slas.listed import TIERS
from slas.promises.prices import yuan

# Lines that are read at once for a file.
BATCH: Final = 1_000
EVERY_KIND: Final = tuple(FreightKind)
_PLACE: Final = re.compile(r"(?P<kind>[a-z]{1,12}) (?P<micros>[0-9]{1,17}) (?P<after>[0-9]{1,19})")
_LARGEST_ID: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FreightLine:
    """One line. What takes off is negative, so that the lines of a final month add up to its amount due."""

    kind: FreightKind
    at: datetime
    number: str
    reference: str
    service: str
    counterparty: Organisation
    amount_fen: int
    # The reason of a surcharge, the cause of a credit.
    note: str = ""
    surcharge_id: int | None = None

    @property
    def amount(self) -> str:
        return yuan(self.amount_fen)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next lines begin: of which kind, after which row.

    Cancellations are in the order of their time, all others in that of their ids.
    """

    kind: FreightKind = FreightKind.FEE
    at: datetime = _EPOCH
    after: int = 0

    def __str__(self) -> str:
        micros = (self.at - _EPOCH) // timedelta(microseconds=1)
        return f"{self.kind.value} {micros} {self.after}"


def read_place(text: str) -> Place | None:
    """Parse a place as written by str(); None for any other text."""
    match = _PLACE.fullmatch(text)
    if match is None or match["kind"] not in FreightKind.values or int(match["after"]) > _LARGEST_ID:
        return None
    at = _EPOCH + timedelta(microseconds=int(match["micros"]))
    return Place(FreightKind(match["kind"]), at, int(match["after"]))


def lines_of(
    account: Account,
    month: date,
    place: Place,
    *,
    limit: int = BATCH,
    kinds: Sequence[FreightKind] = EVERY_KIND,
) -> tuple[list[FreightLine], Place | None]:
    """Return the next lines of a month after a place, and the place of those that follow; None at the end.

    Raises Gone for a month whose parcels were moved out to files.
    """
    refuse_retired(month)
    lines: list[FreightLine] = []
    for kind in EVERY_KIND[EVERY_KIND.index(place.kind) :]:
        if kind not in kinds:
            continue
        place = place if place.kind == kind else Place(kind)
        wanted = limit - len(lines)
        if not wanted:
            return lines, place
        rows = _READ[kind](account, month, place, wanted + 1)
        lines += _SPELL[kind](account, rows[:wanted])
        if len(rows) > wanted:
            last = rows[wanted - 1]
            at = last.cancelled_at if kind == FreightKind.CANCELLATION else _EPOCH
            return lines, replace(place, at=at, after=last.pk)
    return lines, None


def refuse_retired(month: date) -> None:
    """Raise Gone if parcels of a month are in files only: its lines would be incomplete without a word."""
    # Parcels leave by months of UTC, of which a month in Beijing's time has the end of the one before.
    before = (month - timedelta(days=1)).replace(day=1)
    if RetiredMonth.objects.filter(month__in=[before, month]).exists():
        raise Gone(
            _("The parcels of %(month)s were archived: its sums are kept, its lines are not.")
            % {"month": spell(month)},
            code="retired",
        )


def _parcels(account: Account) -> Any:
    return Parcel.objects.visible_to(account.reader).filter(
        Q((account.column, account.organisation.pk)), fee_fen__isnull=False
    )


def _read_fees(account: Account, month: date, place: Place, limit: int) -> list[Any]:
    first, end = first_id(month, ZONE), first_id(next_month(month), ZONE)
    parcels = _parcels(account).filter(pk__gte=first, pk__lt=end, pk__gt=place.after).order_by("pk")
    return list(at_homes(parcels, most=limit)[:limit])


def _read_cancellations(account: Account, month: date, place: Place, limit: int) -> list[Any]:
    start = max(start_of(month), place.at)
    beyond = Q(cancelled_at__gt=place.at) | Q(cancelled_at=place.at, pk__gt=place.after)
    parcels = _parcels(account).filter(
        beyond, cancelled_at__gte=start, cancelled_at__lt=start_of(next_month(month))
    )
    return list(at_homes(parcels.order_by("cancelled_at", "pk"), most=limit)[:limit])


def _read_surcharges(account: Account, month: date, place: Place, limit: int) -> list[Any]:
    rows = own_rows(account, Surcharge).filter(month=month, pk__gt=place.after)
    return list(rows.order_by("pk")[:limit])


def _read_credits(account: Account, month: date, place: Place, limit: int) -> list[Any]:
    entries = account.entries().filter(month=month, pk__gt=place.after).order_by("pk")
    return list(at_homes(entries, most=limit)[:limit])


def _fees(account: Account, parcels: list[Parcel]) -> Iterator[FreightLine]:
    names, tiers = _names(account, parcels), _tiers()
    for parcel in parcels:
        yield FreightLine(
            kind=FreightKind.FEE,
            at=parcel.booked_at,
            number=parcel.number,
            reference=parcel.reference,
            service=tiers.get(parcel.tier_id, ""),
            counterparty=names[getattr(parcel, account.other_column)],
            amount_fen=parcel.fee_fen or 0,
        )


def _cancellations(account: Account, parcels: list[Parcel]) -> Iterator[FreightLine]:
    for parcel, line in zip(parcels, _fees(account, parcels), strict=True):
        at = parcel.cancelled_at or line.at
        yield replace(line, kind=FreightKind.CANCELLATION, at=at, amount_fen=-line.amount_fen)


def _surcharges(account: Account, surcharges: list[Surcharge]) -> Iterator[FreightLine]:
    names = _names(account, surcharges)
    for each in surcharges:
        yield FreightLine(
            kind=FreightKind.SURCHARGE,
            at=each.entered_at,
            number=each.parcel_number,
            reference="",
            service="",
            counterparty=names[getattr(each, account.other_column)],
            amount_fen=each.amount_fen,
            note=each.reason,
            surcharge_id=each.pk,
        )


def _credits(account: Account, entries: list[CreditEntry]) -> Iterator[FreightLine]:
    names, tiers = _names(account, entries), _tiers()
    for entry in entries:
        yield FreightLine(
            kind=FreightKind.CREDIT,
            at=entry.at,
            number=entry.number,
            reference="",
            service=tiers.get(entry.tier_id, ""),
            counterparty=names[getattr(entry, account.other_column)],
            amount_fen=-entry.amount_fen,
            note=entry.cause,
        )


def _tiers() -> dict[int, str]:
    return {tier.pk: tier.code for tier in TIERS.every()}


def _names(account: Account, rows: Sequence[Any]) -> dict[int, Organisation]:
    # Read apart: parcels and organisations are in different places on a cluster.
    return Organisation.objects.in_bulk({getattr(row, account.other_column) for row in rows})


_READ: Final[dict[FreightKind, Callable[[Account, date, Place, int], list[Any]]]] = {
    FreightKind.FEE: _read_fees,
    FreightKind.CANCELLATION: _read_cancellations,
    FreightKind.SURCHARGE: _read_surcharges,
    FreightKind.CREDIT: _read_credits,
}
_SPELL: Final[dict[FreightKind, Callable[[Account, Any], Iterator[FreightLine]]]] = {
    FreightKind.FEE: _fees,
    FreightKind.CANCELLATION: _cancellations,
    FreightKind.SURCHARGE: _surcharges,
    FreightKind.CREDIT: _credits,
}
