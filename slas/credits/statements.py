"""Statements as shown to their owners: months, their sums, and every line of the ledger."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.database.written_once import WrittenOnce
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.models import Organisation
from alliance.tenancy import Actor, require
from couriers.homes.lists import at_homes
from slas.choices import CreditCause
from slas.credits.accounts import Account, fen_of
from slas.credits.models import ClosedMonth, CreditEntry, Statement
from slas.credits.months import asked_month, month_of, next_month, spell
from slas.credits.services.closing import last_closed
from slas.promises.models import ServiceTier
from slas.promises.prices import yuan

PAGE = 50
# Counterparties of a month that a page shows at once.
PARTS = 20


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of entries: credited, taken back, and both together."""

    entries: int = 0
    credited_fen: int = 0
    taken_back_fen: int = 0

    @property
    def total_fen(self) -> int:
        return self.credited_fen + self.taken_back_fen

    @property
    def credited(self) -> str:
        return yuan(self.credited_fen)

    @property
    def taken_back(self) -> str:
        return yuan(self.taken_back_fen)

    @property
    def total(self) -> str:
        return yuan(self.total_fen)


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """A line of the list of months; closed_at is None while the month is open."""

    month: date
    entries: int = 0
    total_fen: int = 0
    closed_at: datetime | None = None

    @property
    def text(self) -> str:
        return spell(self.month)

    @property
    def total(self) -> str:
        return yuan(self.total_fen)


@dataclass(frozen=True, slots=True)
class MonthSums(Sums):
    """A month of an account, from the ledger itself; closed_at is None while it is open."""

    month: date = date.min
    closed_at: datetime | None = None

    @property
    def text(self) -> str:
        return spell(self.month)


@dataclass(frozen=True, slots=True)
class Part(Sums):
    """The share of a month that belongs to one tier, counterparty or cause."""

    name: str = ""
    code: str = ""
    # Of a counterparty.
    organisation_id: int = 0

    @property
    def place(self) -> str:
        """The place among the counterparties, after which the next page begins."""
        return _place(self.total_fen, self.organisation_id)


@dataclass(frozen=True, slots=True)
class Summary:
    """A month with its parts; of the counterparties a page, and the place of the next one."""

    sums: MonthSums
    tiers: list[Part]
    counterparties: list[Part]
    causes: list[Part]
    next_counterparties: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry with the running total."""

    entry: CreditEntry
    counterparty: Organisation
    running_fen: int

    @property
    def amount(self) -> str:
        return yuan(self.entry.amount_fen)

    @property
    def running(self) -> str:
        return yuan(self.running_fen)

    @property
    def late_by(self) -> timedelta | None:
        seconds = self.entry.late_by
        return None if seconds is None else timedelta(seconds=seconds)


# Numbers that fit the columns.
_PLACE = re.compile(r"(?P<total>-?[0-9]{1,18})\|(?P<organisation>[0-9]{1,18})")


_ORGANISATION: Final = WrittenOnce(lambda pk: Organisation.objects.filter(pk=pk))
_STATEMENTS: Final = WrittenOnce(lambda pk: Statement.objects.filter(organisation_id=pk))


def account_of(actor: Actor, *, organisation_id: str | None = None) -> Account:
    """The account an actor reads: its own, or for ops that of the named organisation.

    Raises NotPermitted without the capability, InvalidInput when ops name none, or members another.
    """
    require(actor, Capability.VIEW_FINANCE)
    if not actor.is_ops:
        # An empty one as well: ignored, it would look like an answer about somebody else.
        if organisation_id is not None:
            message = _("You see your own statements: leave this out.")
            raise InvalidInput(errors=[FieldError("/organisation", message, "unknown")])
        [organisation] = _ORGANISATION.rows(actor.tenant_id)
        return Account(organisation, actor)
    if not organisation_id:
        message = _("Name the merchant or courier whose statements you want.")
        raise InvalidInput(errors=[FieldError("/organisation", message, "required")])
    organisation = Organisation.objects.by_id(organisation_id).first()
    if organisation is None:
        message = _("Unknown merchant or courier.")
        raise InvalidInput(errors=[FieldError("/organisation", message, "unknown")])
    return Account(organisation, actor)


def months_of(account: Account, *, now: datetime) -> list[MonthTotal]:
    """Every month with entries, the newest first, and the current one.

    Final ones are read from their statements: only open months are added up.
    """
    statements = _STATEMENTS.rows(account.organisation.pk)
    totals = {
        statement.month: MonthTotal(
            statement.month, statement.entries, statement.total_fen, statement.closed_at
        )
        for statement in statements
    }
    closed = last_closed()
    still_open = account.added_up("month", date.min if closed == date.min else next_month(closed))
    rows = still_open.filter(month__gt=closed)
    totals |= {month: MonthTotal(month, entries, fen) for month, entries, _credited, _back, fen in rows}
    totals.setdefault(month_of(now), MonthTotal(month_of(now)))
    return [totals[month] for month in sorted(totals, reverse=True)]


def month_for(account: Account, text: str, *, now: datetime) -> MonthSums:
    """The month of a URL. Raises InvalidInput for an invalid one, NotFound for one without entries.

    The current month exists before its first entry.
    """
    month = asked_month(text)
    _month, entries, credited, taken_back, _fen = next(
        iter(account.added_up("month", month).filter(month=month)), (month, 0, 0, 0, 0)
    )
    if not entries and month != month_of(now):
        raise NotFound(_("There are no entries in that month."))
    closed = ClosedMonth.objects.filter(pk=month).first()
    closed_at = closed.closed_at if closed else None
    return MonthSums(entries, credited, taken_back, month, closed_at)


def summary_of(
    account: Account, sums: MonthSums, *, after: tuple[int, int] | None = None, most: int = PARTS
) -> Summary:
    """The parts of a month: by tier, by cause, and the next merchants or couriers after a place."""
    tiers = ServiceTier.objects.in_bulk()
    counterparties = counterparties_of(account, sums.month, after=after, limit=most + 1)
    return Summary(
        sums,
        tiers=[
            Part(*counts, name=tiers[key].name, code=tiers[key].code)
            for key, counts in sorted(
                _sums_by(account, sums.month, "tier_id").items(), key=lambda item: tiers[item[0]].position
            )
        ],
        counterparties=counterparties[:most],
        causes=[
            Part(*counts, name=str(CreditCause(key).label), code=key)
            for key, counts in sorted(
                _sums_by(account, sums.month, "cause").items(),
                key=lambda item: CreditCause.values.index(item[0]),
            )
        ],
        next_counterparties=counterparties[most - 1].place if len(counterparties) > most else "",
    )


def counterparties_of(
    account: Account, month: date, *, after: tuple[int, int] | None, limit: int
) -> list[Part]:
    """The merchants or couriers of a month, those with the greatest total first, after the place of one.

    A courier may have millions of merchants: only those that are returned leave the database.
    """
    other = account.other_column
    rows = _totals_by(account, month, other).order_by("-total", other)
    if after is not None:
        rows = rows.filter(Q(total__lt=after[0]) | Q(("total", after[0]), (f"{other}__gt", after[1])))
    found = list(rows[:limit])
    names = Organisation.objects.in_bulk([key for key, *_sums in found])
    return [
        Part(
            entries,
            credited,
            taken_back,
            name=names[key].name,
            code=names[key].public_id,
            organisation_id=key,
        )
        for key, entries, credited, taken_back, _total in found
    ]


def counterparties_before(account: Account, month: date, *, after: tuple[int, int]) -> str:
    """The place after which the page before begins: "" for the first page."""
    other = account.other_column
    rows = _totals_by(account, month, other).order_by("total", f"-{other}")
    rows = rows.filter(Q(total__gt=after[0]) | Q(("total", after[0]), (f"{other}__lte", after[1])))
    places = [_place(total, organisation_id) for organisation_id, *_sums, total in rows[: PARTS + 1]]
    return places[PARTS] if len(places) > PARTS else ""


def _place(total_fen: int, organisation_id: int) -> str:
    return f"{total_fen}|{organisation_id}"


def read_place(text: str) -> tuple[int, int] | None:
    """Parse the place of a counterparty; None for any other text."""
    match = _PLACE.fullmatch(text)
    return (int(match["total"]), int(match["organisation"])) if match else None


def lines_of(
    account: Account, month: date, *, after: int = 0, limit: int = PAGE, running_fen: int | None = None
) -> list[Line]:
    """The entries of a month in the order they were written, after the entry `after`.

    `running_fen` is the sum up to there, if known; otherwise it is added up.
    """
    entries = account.entries().filter(month=month)
    if running_fen is None:
        running_fen = fen_of(entries.filter(pk__lte=after)) if after else 0
    page = list(at_homes(entries.filter(pk__gt=after).order_by("pk"), most=limit)[:limit])
    return list(_lines(page, account, running_fen))


def page_before(account: Account, month: date, *, before: int) -> int:
    """The entry after which the previous page begins: 0 for the first page."""
    earlier = account.entries().filter(month=month, pk__lt=before).order_by("-pk")
    keys = list(at_homes(earlier, most=PAGE + 1).values_list("pk", flat=True)[: PAGE + 1])
    return keys[PAGE] if len(keys) > PAGE else 0


def entries_of_parcel(actor: Actor, parcel_id: int) -> list[CreditEntry]:
    """The entries of one parcel, in the order they were written."""
    require(actor, Capability.VIEW_FINANCE)
    entries = CreditEntry.objects.visible_to(actor).filter(parcel_id=parcel_id)
    return list(entries.order_by("pk"))


def _totals_by(account: Account, month: date, column: str) -> QuerySet[Any, Any]:
    return account.added_up(column, month).filter(month=month)


def _sums_by(account: Account, month: date, column: str) -> dict[Any, tuple[int, int, int]]:
    rows = _totals_by(account, month, column)
    return {key: (entries, credited, taken_back) for key, entries, credited, taken_back, _total in rows}


def _lines(entries: Sequence[CreditEntry], account: Account, running_fen: int) -> Iterator[Line]:
    # Names of the page's rows only: a join would read them for the whole month.
    tiers = ServiceTier.objects.in_bulk()
    others = {getattr(entry, account.other_column) for entry in entries}
    names = Organisation.objects.in_bulk(list(others))
    for entry in entries:
        entry.tier = tiers[entry.tier_id]
        running_fen += entry.amount_fen
        yield Line(entry, names[getattr(entry, account.other_column)], running_fen)
