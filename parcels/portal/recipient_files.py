"""Pages of files of recipients: importing into the address book, and downloading it."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from alliance.csv_files.writing import MARK
from alliance.errors import AllianceError, InvalidInput
from alliance.portal.forms import add_service_errors
from alliance.web.http import around_transaction
from alliance.web.requests import ActorRequest
from alliance.workbooks.writing import CONTENT_TYPE, write_workbook
from parcels.booking_files.reading_ahead import uploaded_workbook
from parcels.recipients.rows import FORMAT, MAX_BYTES, MAX_ROWS, SAMPLE
from parcels.recipients.services.files import RowResult, export_rows, import_recipients, read_file
from parcels.recipients.services.saving import require_keeper

# Of a file in which nothing is right, a page shows the beginning.
MOST_SHOWN: Final = 200


class RecipientFileForm(forms.Form):
    file = forms.FileField(label=_("File"))


@around_transaction(uploaded_workbook)
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def recipient_import(request: ActorRequest) -> HttpResponse:
    """Import a file of recipients, and say of each row that was not added why. Nothing of it is kept."""
    actor = request.actor
    require_keeper(actor)
    is_post = request.method == "POST"
    form = RecipientFileForm(request.POST, request.FILES) if is_post else RecipientFileForm()
    results: Sequence[RowResult] | None = None
    status = 200
    if is_post and form.is_valid():
        upload: UploadedFile[Any] = form.cleaned_data["file"]
        try:
            results = import_recipients(actor=actor, table=read_file(upload), at=timezone.now())
        except InvalidInput as error:
            add_service_errors(form, error)
        except AllianceError as error:
            form.add_error(None, error.detail)
            status = error.status
    if form.errors:
        status = max(status, 422)
    context = {"form": form, "max_bytes": MAX_BYTES, "max_rows": MAX_ROWS, **_told(results)}
    return render(request, "parcels/recipient_import.html", context, status=status)


@require_safe
@login_required
def recipient_template(request: ActorRequest) -> HttpResponse:
    """Download a file with the right header, in the reader's language, and a sample row."""
    require_keeper(request.actor)
    text = io.StringIO(newline="")
    text.write(MARK)
    csv.writer(text).writerows([FORMAT.header(), SAMPLE])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="recipients.csv"'
    return response


@require_safe
@login_required
def recipient_export(request: ActorRequest) -> StreamingHttpResponse:
    """Download the address book in full, which is audited."""
    rows = export_rows(actor=request.actor)
    response = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="recipients.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
@login_required
def recipient_export_xlsx(request: ActorRequest) -> FileResponse:
    """Download the address book in full as a workbook, which is audited."""
    content = write_workbook(export_rows(actor=request.actor))
    response = FileResponse(
        content, as_attachment=True, filename="recipients.xlsx", content_type=CONTENT_TYPE
    )
    response["Cache-Control"] = "private, no-store"
    return response


def _told(results: Sequence[RowResult] | None) -> dict[str, Any]:
    """The results as the page shows them; nothing before a file was read."""
    if results is None:
        return {}
    rejected = [result for result in results if result.errors]
    return {
        "results": Counter(result.outcome for result in results),
        "rejected": rejected[:MOST_SHOWN],
        "more": max(len(rejected) - MOST_SHOWN, 0),
    }


def _lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield MARK
    for row in rows:
        line = io.StringIO(newline="")
        csv.writer(line).writerow(row)
        yield line.getvalue()
