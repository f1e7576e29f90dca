"""Read the rows to export page by page, each from the end of the last one.

Runs in the scope of the file's owner: `visible_to` first, the database's policies behind it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from django.db.models import Min, Q, Sum
from django.db.models.functions import Coalesce

from alliance.identifiers import EPOCH, parcel_id_at
from alliance.models import City, Organisation
from alliance.tenancy import Actor
from couriers.homes.lists import merged_by_shard, told_at_homes
from slas.choices import ExportContent
from slas.commitments.models import Commitment
from slas.commitments.querysets import CommitmentQuerySet
from slas.exports.columns import Line, Names
from slas.exports.models import Export
from slas.promises.models import ServiceTier, TierVersion
from slas.rates.models import OnTimeRate
from slas.rates.querysets import OnTimeRateQuerySet
from slas.revisions.queries import first_promises

# A page of commitments is searched one month of parcels at a time: for a merchant with few parcels the search
# reads the whole table, which must not be one query.
WINDOW = timedelta(days=31)
# A due date is local: it can differ from the UTC date by a day.
_ONE_DAY = timedelta(days=1)
_ROWS = ("pending", "met", "late", "overdue", "void")


class Page(NamedTuple):
    """Lines, and the position to continue from; empty at the end."""

    lines: list[Line]
    position: str


@dataclass(frozen=True, slots=True)
class _Position:
    """The key of the last row read."""

    major: str
    minor: str

    @classmethod
    def read(cls, text: str) -> "_Position":
        major, _bar, minor = text.partition("|")
        return cls(major, minor)

    def __str__(self) -> str:
        return f"{self.major}|{self.minor}"


def expected_rows(export: Export, actor: Actor) -> int:
    """Return the estimated number of rows, from the folded cells, which is cheap."""
    cells = _cells(actor, export)
    if export.content == ExportContent.RATES:
        return cells.count()
    total = sum((Coalesce(Sum(name), 0) for name in _ROWS[1:]), Coalesce(Sum(_ROWS[0]), 0))
    return int(cells.aggregate(total=total)["total"])


def read_page(export: Export, actor: Actor, *, position: str, limit: int) -> Page:
    """Read the next rows of a file, at most `limit`."""
    if export.content == ExportContent.RATES:
        return _page_of_cells(export, actor, position, limit)
    return _page_of_commitments(export, actor, position, limit)


# --- commitments -------------------------------------------------------------------------------


def _page_of_commitments(export: Export, actor: Actor, position: str, limit: int) -> Page:
    rows, position = _commitments(export, actor, position, limit)
    original_due_times = first_promises(rows)
    names = _names(rows, {row.merchant_id for row in rows} | {row.courier_id for row in rows})
    lines = [
        Line(
            row,
            names,
            courier_id=row.courier_id,
            merchant_id=row.merchant_id,
            promised_at=original_due_times.get((row.parcel_id, row.kind)),
            with_fees=export.with_fees,
        )
        for row in rows
    ]
    return Page(lines, position)


def _commitments(export: Export, actor: Actor, position: str, limit: int) -> tuple[list[Commitment], str]:
    """Rows in the order of their key, and the next position: within a window, or at the start of the next."""
    commitments = Commitment.objects.visible_to(actor)
    if position:
        key = _Position.read(position)
        start, last_kind = int(key.major), key.minor
    else:
        oldest = _oldest(commitments)
        if oldest is None:
            return [], ""
        start, last_kind = oldest, ""
    if start >= (end := _end_of_ids(export.last)):
        return [], ""
    window = min(start + (_ids_of(WINDOW)), end)
    # The range conditions use the primary key; the first one decides within a parcel.
    matches = commitments.filter(
        Q(parcel_id__gt=start) | Q(parcel_id=start, kind__gt=last_kind),
        parcel_id__gte=start,
        parcel_id__lt=window,
        due_date__range=(export.first, export.last),
    )
    in_order = matches.order_by("parcel_id", "kind")
    rows, are_all = merged_by_shard(in_order, "parcel_id", "kind", most=limit) or _first(in_order, limit)
    if are_all:
        return rows, str(_Position(str(window), "")) if window < end else ""
    return rows, str(_Position(str(rows[-1].parcel_id), rows[-1].kind))


def _first(in_order: CommitmentQuerySet, limit: int) -> tuple[list[Commitment], bool]:
    rows = list(in_order[:limit])
    return rows, len(rows) < limit


def _oldest(commitments: CommitmentQuerySet) -> int | None:
    told = told_at_homes(commitments.order_by("parcel_id").values("parcel_id")[:1])
    if told is not None:
        return min((row["parcel_id"] for row in told), default=None)
    oldest: int | None = commitments.aggregate(oldest=Min("parcel_id"))["oldest"]
    return oldest


def _end_of_ids(last: date) -> int:
    """The id above all parcels due on that day: no parcel is due before it is booked."""
    return parcel_id_at(datetime.combine(last + 2 * _ONE_DAY, time(0), UTC))


def _ids_of(duration: timedelta) -> int:
    return parcel_id_at(EPOCH + duration)


# --- cells -------------------------------------------------------------------------------------


def _cells(actor: Actor, export: Export) -> OnTimeRateQuerySet:
    """Cells of one grain only: the other counts the same commitments. Ops get both parties' names."""
    cells: OnTimeRateQuerySet = OnTimeRate.objects.visible_to(actor)
    grain = cells.of_couriers() if actor.is_courier else cells.of_merchants()
    return grain.due_between(export.first, export.last)


def _page_of_cells(export: Export, actor: Actor, position: str, limit: int) -> Page:
    cells = _cells(actor, export)
    if position:
        key = _Position.read(position)
        day, last_id = date.fromisoformat(key.major), int(key.minor)
        cells = cells.filter(Q(due_date__gt=day) | Q(due_date=day, pk__gt=last_id), due_date__gte=day)
    rows = list(cells.order_by("due_date", "pk")[:limit])
    parties = {row.organisation_id for row in rows} | {row.counterpart_id for row in rows} - {None}
    names = _names(rows, parties)
    lines = [
        Line(
            row,
            names,
            courier_id=row.counterpart_id or row.organisation_id,
            merchant_id=row.organisation_id if row.counterpart_id else None,
        )
        for row in rows
    ]
    if len(rows) < limit:
        return Page(lines, "")
    return Page(lines, str(_Position(rows[-1].due_date.isoformat(), str(rows[-1].pk))))


# --- names -------------------------------------------------------------------------------------


def _names(rows: Iterable[Any], organisations: set[int]) -> Names:
    cities = {row.origin_id for row in rows} | {row.destination_id for row in rows}
    return Names(
        organisations=dict(Organisation.objects.filter(pk__in=organisations).values_list("pk", "name")),
        cities=dict(City.objects.filter(pk__in=cities).values_list("pk", "code")),
        tiers=dict(ServiceTier.objects.values_list("pk", "code")),
        versions=dict(TierVersion.objects.values_list("pk", "number")),
    )
