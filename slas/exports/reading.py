"""Reading what is exported, page by page, each from where the last one ended.

In the scope of whose file it is: `visible_to` first, the database's policies behind it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from django.db.models import Min, Q, Sum
from django.db.models.functions import Coalesce

from alliance.identifiers import EPOCH, parcel_id_at
from alliance.models import City, Organisation
from alliance.tenancy import Actor
from slas.choices import ExportContent
from slas.commitments.models import Commitment
from slas.exports.columns import Line, Names
from slas.exports.models import Export
from slas.promises.models import ServiceTier, TierVersion
from slas.rates.models import OnTimeRate
from slas.rates.querysets import OnTimeRateQuerySet
from slas.revisions.models import Revision

# A page of commitments is looked for a month of parcels at a time: a merchant of few parcels
# costs a reading of the table, and one query must not be all of it.
WINDOW = timedelta(days=31)
# A due date is local: it can be a day behind or ahead of the one in UTC.
_A_DAY = timedelta(days=1)
_ROWS = ("pending", "met", "late", "overdue", "void")


class Page(NamedTuple):
    """Some lines, and the place to read on from; no place is the end."""

    lines: list[Line]
    position: str


@dataclass(frozen=True, slots=True)
class _Place:
    """The key of the last row read."""

    major: str
    minor: str

    @classmethod
    def read(cls, text: str) -> "_Place":
        major, _bar, minor = text.partition("|")
        return cls(major, minor)

    def __str__(self) -> str:
        return f"{self.major}|{self.minor}"


def expected_rows(export: Export, actor: Actor) -> int:
    """Return about how many rows there will be: what the folded cells say, so it costs next to nothing."""
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
    promised = _first_promises(rows)
    names = _names(rows, {row.merchant_id for row in rows} | {row.courier_id for row in rows})
    lines = [
        Line(
            row,
            names,
            courier_id=row.courier_id,
            merchant_id=row.merchant_id,
            promised_at=promised.get((row.parcel_id, row.kind)),
            with_fees=export.with_fees,
        )
        for row in rows
    ]
    return Page(lines, position)


def _commitments(export: Export, actor: Actor, position: str, limit: int) -> tuple[list[Commitment], str]:
    """Rows in the order of their key, and where to go on: within a window, or at the next one's start."""
    commitments = Commitment.objects.visible_to(actor)
    if position:
        place = _Place.read(position)
        start, after = int(place.major), place.minor
    else:
        oldest = commitments.aggregate(oldest=Min("parcel_id"))["oldest"]
        if oldest is None:
            return [], ""
        start, after = oldest, ""
    if start >= (end := _end_of_ids(export.last)):
        return [], ""
    window = min(start + (_ids_of(WINDOW)), end)
    # The first condition alone is a range of the primary key; the other decides within a parcel.
    found = commitments.filter(
        Q(parcel_id__gt=start) | Q(parcel_id=start, kind__gt=after),
        parcel_id__gte=start,
        parcel_id__lt=window,
        due_date__range=(export.first, export.last),
    )
    rows = list(found.order_by("parcel_id", "kind")[:limit])
    if len(rows) < limit:
        return rows, str(_Place(str(window), "")) if window < end else ""
    return rows, str(_Place(str(rows[-1].parcel_id), rows[-1].kind))


def _end_of_ids(last: date) -> int:
    """The id that parcels due on that day are all below: nothing is due before it is booked."""
    return parcel_id_at(datetime.combine(last + 2 * _A_DAY, time(0), UTC))


def _ids_of(duration: timedelta) -> int:
    return parcel_id_at(EPOCH + duration)


def _first_promises(rows: Sequence[Commitment]) -> dict[tuple[int, str], datetime]:
    """What was promised before the first revision, of those that have any."""
    revised = [row.parcel_id for row in rows if row.revised_due_at is not None]
    if not revised:
        return {}
    found = Revision.objects.filter(parcel_id__in=revised).order_by("-pk")
    # The oldest comes last, and stays.
    return {(item.parcel_id, item.kind): item.previous_due_at for item in found}


# --- cells -------------------------------------------------------------------------------------


def _cells(actor: Actor, export: Export) -> OnTimeRateQuerySet:
    """One grain only: the other one counts the same commitments. Ops get both parties' names."""
    cells: OnTimeRateQuerySet = OnTimeRate.objects.visible_to(actor)
    grain = cells.of_couriers() if actor.is_courier else cells.of_merchants()
    return grain.due_between(export.first, export.last)


def _page_of_cells(export: Export, actor: Actor, position: str, limit: int) -> Page:
    cells = _cells(actor, export)
    if position:
        place = _Place.read(position)
        day, last_id = date.fromisoformat(place.major), int(place.minor)
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
    return Page(lines, str(_Place(rows[-1].due_date.isoformat(), str(rows[-1].pk))))


# --- names -------------------------------------------------------------------------------------


def _names(rows: Iterable[Any], organisations: set[int]) -> Names:
    cities = {row.origin_id for row in rows} | {row.destination_id for row in rows}
    named = Organisation.objects.filter(pk__in=organisations).values_list("pk", "slug", "name")
    return Names(
        organisations={pk: (slug, name) for pk, slug, name in named},
        cities=dict(City.objects.filter(pk__in=cities).values_list("pk", "code")),
        tiers=dict(ServiceTier.objects.values_list("pk", "code")),
        versions=dict(TierVersion.objects.values_list("pk", "number")),
    )
