"""The page on which a person says what the columns of a file are, and the merchant's templates."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice, pairwise
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from alliance.csv_cells import read_cell
from alliance.csv_files.records import Record
from alliance.errors import AllianceError, InvalidInput
from alliance.portal.forms import add_service_errors
from alliance.tenancy import Actor
from alliance.web.requests import ActorRequest
from alliance.workbooks.cells import mark_of, text_in
from parcels.booking_files.columns import COLUMNS
from parcels.booking_files.guesses import guess, weighed
from parcels.booking_files.mappings import ColumnMapping, converted, fitted
from parcels.booking_files.services.drafts import SHOWN_ROWS, discard_draft, draft_of, first_rows
from parcels.booking_files.services.files import FileKnown, book_draft
from parcels.booking_files.services.rows import Rows, column_of
from parcels.booking_files.services.templates import remove_template, save_template, template_for
from parcels.booking_files.shops import closed_orders, shop_of
from parcels.booking_files.tables import Table
from parcels.bookings.rules import problems_of
from parcels.models import BookingFile, BookingTemplate, PickupAddress
from parcels.portal.booking_column_forms import ColumnsForm, label_of
from parcels.portal.booking_files import booker
from slas.promises.prices import MAX_FEN

_SAMPLES: Final = 3
_LOOKED_AT: Final = 1_000


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def booking_columns(request: ActorRequest, file_id: int) -> HttpResponse:
    """Show a file's columns with our guess, and book it by what was chosen; with `check`, only show that."""
    actor = booker(request)
    file, table = draft_of(actor, file_id)
    template = _template(actor, request.GET.get("template", ""), table)
    mapping = fitted(template.mapping, table.header) if template else _guess(table)
    form = ColumnsForm(
        request.POST if request.method == "POST" else None,
        names=table.header,
        mapping=mapping,
        addresses=addresses_of(actor),
        initial={"save_as": template.name if template else ""},
    )
    known: BookingFile | None = None
    is_booked = request.method == "POST" and "check" not in request.POST
    if is_booked and form.is_valid() and form.mapping().missing:
        message = _("Choose a column for what is still missing, or give a value for all rows.")
        form.add_error(None, message)
    if is_booked and form.is_valid():
        try:
            _book(actor, file, table, form)
        except FileKnown as refusal:
            known = refusal.file
            form.add_error(None, refusal.detail)
        except InvalidInput as error:
            add_service_errors(form, error)
        except AllianceError as error:
            form.add_error(None, error.detail)
        else:
            return redirect("parcels:booking_file", file.pk)
    if form.is_bound:
        form.is_valid()
        mapping = form.mapping()
    shop = shop_of(table.header)
    rows = first_rows(table)
    cells = [list(zip(table.header, row, strict=True)) for row in rows]
    context = {
        "file": file,
        "form": form,
        "known": known,
        "shop": shop.name if shop else "",
        "template": template,
        "templates": BookingTemplate.objects.visible_to(actor).order_by("name"),
        "header": table.header,
        "rows": cells,
        "columns": [
            (name, field, [row[place] for row in rows[:_SAMPLES] if row[place]])
            for place, (name, field) in enumerate(form.columns)
        ],
        "missing": [label_of(name) for name in mapping.missing],
        **_result(actor, table, mapping),
    }
    status = 422 if is_booked and form.errors else 200
    return render(request, "parcels/booking_columns.html", context, status=status)


@require_POST
@login_required
def booking_discard(request: ActorRequest, file_id: int) -> HttpResponse:
    """Discard a file whose columns nobody named."""
    name = discard_draft(actor=booker(request), file_id=file_id)
    messages.success(request, _("“%(name)s” was discarded.") % {"name": name})
    return redirect("parcels:booking_upload")


@require_POST
@login_required
def booking_template_remove(request: ActorRequest, template_id: int) -> HttpResponse:
    """Remove a template; what was booked by it stays."""
    name = remove_template(actor=booker(request), template_id=template_id)
    messages.success(request, _("The template “%(name)s” was removed.") % {"name": name})
    return redirect("parcels:booking_upload")


def _book(actor: Actor, file: BookingFile, table: Table, form: ColumnsForm) -> None:
    """Book a draft, and keep the choice as a template if it has a name."""
    mapping, name = form.mapping(), form.cleaned_data["save_as"]
    with transaction.atomic():
        if name:
            save_template(actor=actor, name=name, header=table.header, mapping=mapping)
        book_draft(actor=actor, file_id=file.pk, mapping=mapping, again="again" in form.data)


def _guess(table: Table) -> ColumnMapping:
    """Our guess. Rows of one reference may be boxes or articles: nothing is booked for an article unasked."""
    first = list(islice(table.rows(), _LOOKED_AT))
    mapping = weighed(guess(table.header), table.header, [row.cells for row in first])
    references = [cells[0] for _number, cells in converted(table.header, first, mapping)]
    repeats = any(text and text == following for text, following in pairwise(references))
    return replace(mapping, one_row_each=mapping.one_row_each or repeats)


def _template(actor: Actor, given: str, table: Table) -> BookingTemplate | None:
    """The template that was asked for, or one made for these columns."""
    if given == "none":
        return None
    templates = BookingTemplate.objects.visible_to(actor)
    asked = templates.filter(pk=int(given)).first() if given.isascii() and given.isdigit() else None
    return asked or template_for(actor, table.header)


def addresses_of(actor: Actor) -> list[str]:
    """The names of a merchant's pickup addresses, the default one first."""
    addresses = PickupAddress.objects.visible_to(actor).order_by("-is_default", "name")
    return list(addresses.values_list("name", flat=True)[:200])


def _result(actor: Actor, table: Table, mapping: ColumnMapping) -> dict[str, Any]:
    """The first rows as they would be booked: columns that have anything, and what is wrong with a cell."""
    rows = converted(table.header, table.rows(), mapping, closed_orders(table.header))
    found = list(islice(rows, SHOWN_ROWS))
    problems = _problems(actor, mapping, found)
    shown = [
        place
        for place, name in enumerate(COLUMNS)
        if any(cells[place] for _number, cells in found) or any(name in wrong for wrong in problems)
    ]
    return {
        "result_header": [label_of(COLUMNS[place]) for place in shown],
        "result": [
            [
                (label_of(COLUMNS[place]), read_cell(text_in(cells[place])), wrong.get(COLUMNS[place], ""))
                for place in shown
            ]
            for (_number, cells), wrong in zip(found, problems, strict=True)
        ],
    }


def _problems(
    actor: Actor, mapping: ColumnMapping, found: Sequence[tuple[int, list[str]]]
) -> list[dict[str, str]]:
    """What is wrong with each row, by column; only what its cells say, while a column is still missing."""
    if mapping.missing:
        text = _("will be rejected")
        return [
            {name: text for name, cell in zip(COLUMNS, cells, strict=True) if mark_of(cell)}
            for _number, cells in found
        ]
    rows, now = Rows(actor, COLUMNS), timezone.now()
    return [_problems_of_row(rows, Record(number, cells), now) for number, cells in found]


def _problems_of_row(rows: Rows, record: Record, now: datetime) -> dict[str, str]:
    try:
        request = rows.read(record, rows.cells(record), at=now)
        errors = list(problems_of(request, at=now, value_limit_fen=MAX_FEN))
    except AllianceError as refusal:
        errors = refusal.errors
    # What is wrong with a whole row stands at its first cell.
    return {column_of(error.pointer) or COLUMNS[0]: error.message for error in errors}
