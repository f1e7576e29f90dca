"""A statement as a file: every entry as CSV, or the whole statement as PDF."""

import csv
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, override, pgettext
from django.utils.translation import gettext as _

from alliance.csv_cells import safe_cell
from alliance.csv_files.headers import header
from alliance.durations import column_text
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from alliance.wording import amount, money_text
from slas.credits.accounts import Account
from slas.credits.months import ZONE
from slas.credits.statement_pdf import Column, Paper, Table, render
from slas.credits.statements import Line, MonthSums, Part, Sums, lines_of, summary_of
from slas.promises.prices import CURRENCY

BATCH: Final = 1_000
# About a hundred pages, drawn in a few seconds.
MOST_ON_PAPER: Final = 5_000
_BYTE_ORDER_MARK: Final = "\ufeff"

# Documented in docs/credits.md; a test checks that the two agree. Amounts stay numbers, also negative ones.
COLUMNS: Final[dict[str, Callable[[Line], object]]] = {
    "id": lambda line: public_id(IdKind.CREDIT_ENTRY, line.entry.pk),
    "written_at": lambda line: _moment(line.entry.at),
    "tracking_number": lambda line: line.entry.number,
    "tier": lambda line: line.entry.tier.code,
    "counterparty": lambda line: line.counterparty.public_id,
    "counterparty_name": lambda line: safe_cell(line.counterparty.name),
    "judged_by": lambda line: _moment(line.entry.due_at),
    "reached_at": lambda line: _moment(line.entry.reached_at),
    "late_by_seconds": lambda line: line.entry.late_by,
    "cause": lambda line: line.entry.cause,
    "amount": lambda line: line.amount,
    "balance": lambda line: line.running,
    "currency": lambda _line: CURRENCY,
}


class _Echo:
    """A file object that returns each written line."""

    def write(self, line: str) -> str:
        return line


def as_csv(actor: Actor, account: Account, month: date) -> Iterator[bytes]:
    """Yield the lines, one batch per transaction.

    Runs after the view has returned, so it sets language and scope itself. Entries written to an open month
    in the meantime come at the end.
    """
    language = get_language()
    writer = csv.writer(_Echo())
    text = _BYTE_ORDER_MARK + writer.writerow(header(COLUMNS))
    last_id = running_fen = 0
    while True:
        with override(language), scope(Scope.of(actor)):
            lines = lines_of(account, month, after=last_id, limit=BATCH, running_fen=running_fen)
            rows = [[make(line) for make in COLUMNS.values()] for line in lines]
        text += "".join(writer.writerow(row) for row in rows)
        if text:
            yield text.encode()
        text = ""
        if len(rows) < BATCH:
            return
        last_id, running_fen = lines[-1].entry.pk, lines[-1].running_fen


def as_pdf(account: Account, sums: MonthSums) -> bytes:
    """Draw a month as PDF in the reader's language."""
    # No more counterparties than entries.
    summary = summary_of(account, sums, most=MOST_ON_PAPER)
    other = _("Merchant") if account.is_courier else _("Courier")
    paper = Paper(
        title=_("Credit statement %(month)s") % {"month": sums.text},
        subtitle=account.organisation.name,
        facts=_facts(account, sums),
        summaries=[
            _summary(_("By service"), _("Service"), summary.tiers, sums),
            _summary(_("By counterparty"), other, summary.counterparties, sums),
            _summary(_("By cause"), _("Cause"), summary.causes, sums),
        ]
        if sums.entries
        else [],
        lines=_entries(account, sums, other) if sums.entries else None,
        notes=_notes(account, sums),
        made_at=sums.closed_at or timezone.now(),
    )
    return render(paper)


def _facts(account: Account, sums: MonthSums) -> list[tuple[str, str]]:
    total = _("Owed to merchants") if account.is_courier else _("Credited by couriers")
    closed_at = sums.closed_at
    state = (
        _("Final since %(day)s") % {"day": date_format(closed_at.astimezone(ZONE), "DATE_FORMAT")}
        if closed_at
        else _("Open: entries are still added")
    )
    return [
        (total, money_text(sums.total)),
        (_("State"), state),
        (_("Credited"), money_text(sums.credited)),
        (pgettext("credit", "Reversed"), money_text(sums.taken_back)),
        (_("Entries"), f"{sums.entries:,}"),
        (_("Times"), _("Beijing time")),
    ]


def _summary(title: str, name: str, parts: list[Part], sums: Sums) -> Table:
    columns = [
        Column(name, 129),
        Column(_("Entries"), 26, number=True),
        Column(_("Credited"), 38, number=True),
        Column(pgettext("credit", "Reversed"), 38, number=True),
        Column(_("Total (CNY)"), 38, number=True),
    ]
    rows = [_sum_cells(part.name, part) for part in parts]
    return Table(title, columns, rows, total=_sum_cells(_("Total"), sums))


def _sum_cells(name: str, sums: Sums) -> list[str]:
    return [name, f"{sums.entries:,}", *map(amount, (sums.credited, sums.taken_back, sums.total))]


def _entries(account: Account, sums: MonthSums, other: str) -> Table:
    columns = [
        Column(_("Recorded"), 22),
        Column(_("Parcel"), 36, whole=True),
        Column(_("Service"), 21),
        Column(other, 49),
        Column(_("Promised"), 22),
        Column(_("Reached"), 22),
        Column(_("Late by"), 17, number=True),
        Column(_("Cause"), 46),
        Column(_("Amount"), 16, number=True),
        Column(pgettext("total", "Running"), 18, number=True),
    ]
    lines = lines_of(account, sums.month, limit=MOST_ON_PAPER, running_fen=0)
    total = [_("Total"), *[""] * 8, amount(sums.total)]
    return Table(_("Entries"), columns, (_cells(line) for line in lines), total=total)


def _cells(line: Line) -> list[str]:
    entry = line.entry
    return [
        _short(entry.at),
        line.entry.number,
        entry.tier.name,
        line.counterparty.name,
        _short(entry.due_at),
        _short(entry.reached_at),
        "" if line.late_by is None else column_text(line.late_by),
        entry.get_cause_display(),
        amount(line.amount),
        amount(line.running),
    ]


def _notes(account: Account, sums: MonthSums) -> list[str]:
    notes = []
    if account.is_courier:
        notes.append(_("Positive amounts are owed to the merchant; negative amounts are reversals."))
    else:
        notes.append(_("Positive amounts are credited by the courier; negative amounts are reversals."))
    if sums.closed_at is None:
        notes.append(_("This month is still open: its figures can change."))
    return notes


def _short(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(ZONE):%m-%d %H:%M}"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(ZONE).isoformat(timespec="seconds")
