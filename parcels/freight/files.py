"""A month of freight as a file: every line as CSV or XLSX, the sums as PDF."""

import csv
from collections.abc import Iterator
from typing import IO, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import content_disposition_header
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from alliance.csv_cells import safe_cell
from alliance.csv_files.headers import header
from alliance.errors import Conflict
from alliance.tenancy import Actor, Scope, scope
from alliance.wording import amount, money_text
from alliance.workbooks.writing import write_workbook
from parcels.freight.lines import FreightLine, Place, lines_of
from parcels.freight.queries import Freight, FreightOfMonth, count_lines, counted_until, parts_of
from slas.credits.accounts import Account
from slas.credits.months import ZONE
from slas.credits.statement_pdf import Column, Paper, Table, render
from slas.promises.prices import CURRENCY

# Documented in docs/freight.md; a test compares the two.
COLUMNS: Final = (
    *("entry", "written_at", "tracking_number", "reference", "tier", "counterparty_name", "amount"),
    *("currency", "note"),
)
# Of a sheet, with its first line.
MOST_ON_SHEET: Final = 1_048_575
# Counterparties on paper.
MOST_ON_PAPER: Final = 2_000
_BYTE_ORDER_MARK: Final = "\ufeff"


class _Echo:
    """A file object that returns each written line."""

    def write(self, line: str) -> str:
        return line


def as_csv(actor: Actor, account: Account, month: FreightOfMonth) -> Iterator[bytes]:
    """Yield the lines, one batch per transaction."""
    writer = csv.writer(_Echo())
    text = _BYTE_ORDER_MARK + writer.writerow(header(COLUMNS))
    for batch in _batches(actor, account, month):
        text += "".join(writer.writerow(_cells(line)) for line in batch)
        if text:
            yield text.encode()
        text = ""
    if text:
        yield text.encode()


def as_workbook(actor: Actor, account: Account, month: FreightOfMonth) -> IO[bytes]:
    """Return an open temporary file with the lines as an Excel workbook.

    Raises Conflict if a sheet has no room for them.
    """
    if count_lines(account, month) >= MOST_ON_SHEET:
        raise Conflict(
            _("A sheet has no room for so many lines: download the month as CSV."), code="too_long"
        )

    def rows() -> Iterator[list[str]]:
        yield header(COLUMNS)
        for batch in _batches(actor, account, month):
            yield from map(_cells, batch)

    return write_workbook(rows())


def as_pdf(account: Account, month: FreightOfMonth) -> bytes:
    """Draw the sums of a month, and of each counterparty."""
    other = _("Merchant") if account.is_courier else _("Courier")
    columns = [
        Column(other, 77),
        Column(_("Booked"), 20, number=True),
        Column(_("Fees"), 34, number=True),
        Column(_("Surcharges"), 34, number=True),
        Column(_("Cancellations"), 34, number=True),
        Column(_("Credits"), 34, number=True),
        Column(_("Amount due (CNY)"), 36, number=True),
    ]
    parts = parts_of(account, month, limit=MOST_ON_PAPER + 1)
    notes = [] if month.closed_at else [_("This month is still open: its figures can change.")]
    if len(parts) > MOST_ON_PAPER:
        text = _("More than %(most)s counterparties: the rest is on the page and in the CSV.")
        notes.append(text % {"most": f"{MOST_ON_PAPER:,}"})
        parts = parts[:MOST_ON_PAPER]
    rows = [_sum_cells(part.organisation.name if part.organisation else "", part) for part in parts]
    table = Table(_("By counterparty"), columns, rows, total=_sum_cells(_("Total"), month))
    paper = Paper(
        title=_("Freight statement %(month)s") % {"month": month.text},
        subtitle=account.organisation.name,
        facts=_facts(account, month),
        summaries=[table] if rows else [],
        notes=notes,
        made_at=month.closed_at or timezone.now(),
    )
    return render(paper)


def file_headers(account: Account, month: FreightOfMonth, ending: str) -> dict[str, str]:
    name = f"freight-{account.organisation.slug}-{month.text}.{ending}"
    return {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=name) or "",
        "Cache-Control": "private, no-store",
    }


def _facts(account: Account, month: FreightOfMonth) -> list[tuple[str, str]]:
    due = _("Due from merchants") if account.is_courier else _("Due to couriers")
    closed_at = month.closed_at
    state = (
        _("Final since %(day)s") % {"day": date_format(closed_at.astimezone(ZONE), "DATE_FORMAT")}
        if closed_at
        else _("Open: parcels are still added")
    )
    counted = None if closed_at else counted_until()
    as_of = date_format(counted.astimezone(ZONE), "DATETIME_FORMAT") if counted else ""
    return [
        (due, money_text(month.total)),
        (_("State"), state),
        *([(_("Parcels counted until"), as_of)] if as_of else []),
        (_("Fees"), money_text(month.fees)),
        (_("Surcharges"), money_text(month.surcharges)),
        (_("Cancellations"), money_text(month.cancelled)),
        (_("Credits"), money_text(month.credits)),
    ]


def _sum_cells(name: str, sums: Freight) -> list[str]:
    figures = (sums.fees, sums.surcharges, sums.cancelled, sums.credits, sums.total)
    return [name, f"{sums.booked_count:,}", *map(amount, figures)]


def _batches(actor: Actor, account: Account, month: FreightOfMonth) -> Iterator[list[FreightLine]]:
    # Runs after the view has returned, so it sets language and scope itself.
    language = get_language()
    place: Place | None = Place()
    while place is not None:
        with override(language), scope(Scope.of(actor)):
            lines, place = lines_of(account, month.month, place)
        yield lines


def _cells(line: FreightLine) -> list[str]:
    return [
        line.kind.value,
        line.at.astimezone(ZONE).isoformat(timespec="seconds"),
        line.number,
        safe_cell(line.reference),
        line.service,
        safe_cell(line.counterparty.name),
        line.amount,
        CURRENCY,
        safe_cell(line.note),
    ]
