"""Pages of merchants' booking files: the upload form, progress, results and downloads."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.csv_files.headers import for_reader
from alliance.csv_files.writing import stream
from alliance.errors import AllianceError, InvalidInput, NotFound
from alliance.portal.forms import add_service_errors
from alliance.portal.paging import newest_first
from alliance.tenancy import Actor, require
from alliance.web.http import around_transaction
from alliance.web.requests import ActorRequest
from alliance.workbooks.writing import CONTENT_TYPE, write_workbook
from parcels.booking_files import columns
from parcels.booking_files.reading_ahead import uploaded_workbook
from parcels.booking_files.services.files import (
    FileKnown,
    cancel_booking_file,
    require_booker,
    start_booking_file,
)
from parcels.booking_files.services.results import (
    MOST_WORKBOOK_ROWS,
    problems_path,
    read_problems,
    rejected_path,
    result_rows,
    results_path,
)
from parcels.choices import BookingFileState
from parcels.models import BookingFile, BookingTemplate
from slas.choices import TierCode

ROWS_A_PAGE: Final = 100
FILES_A_PAGE: Final = 20
LIST: Final = newest_first("booking files")


class BookingFileForm(forms.Form):
    file = forms.FileField(label=_("File"))
    template = forms.ChoiceField(label=_("Template"), required=False)
    again = forms.BooleanField(
        label=_("Book this file again"),
        help_text=_("Rows whose reference was booked in the last 30 days are skipped."),
        required=False,
    )

    def __init__(self, *args: Any, templates: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["template"]
        named = ((name, name) for name in templates)
        field.choices = [("", _t("By the names of its columns")), *named]  # type: ignore[attr-defined]
        field.widget.attrs["class"] = "form-select"


@around_transaction(uploaded_workbook)
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def booking_upload(request: ActorRequest) -> HttpResponse:
    """Upload a file of bookings, and list the earlier ones."""
    actor = booker(request)
    templates = BookingTemplate.objects.visible_to(actor).order_by("name")
    form = BookingFileForm(
        request.POST or None, request.FILES or None, templates=[template.name for template in templates]
    )
    known: BookingFile | None = None
    if request.method == "POST" and form.is_valid():
        upload: UploadedFile[Any] = form.cleaned_data["file"]
        try:
            file = start_booking_file(
                actor=actor,
                upload=upload,
                again=form.cleaned_data["again"],
                template=form.cleaned_data["template"],
                may_name_columns=True,
            )
        except FileKnown as refusal:
            known = refusal.file
            form.add_error("file", refusal.detail)
        except InvalidInput as error:
            add_service_errors(form, error)
        except AllianceError as error:
            form.add_error(None, error.detail)
        else:
            return redirect("parcels:booking_file", file.pk)
    files = BookingFile.objects.visible_to(actor).select_related("uploaded_by")
    page = LIST.page(files, LIST.asked(request), size=FILES_A_PAGE)
    context = {
        "form": form,
        "known": known,
        "files": page.rows,
        "templates": templates,
        "tiers": TierCode.choices,
        "max_bytes": columns.MAX_BYTES,
        **page.context,
    }
    return render(request, "parcels/booking_upload.html", context, status=422 if form.errors else page.status)


@require_safe
@login_required
def booking_file(request: ActorRequest, file_id: int) -> HttpResponse:
    """Show a file's progress and the rows not booked; the page polls until the file is finished."""
    file = _file(request, file_id)
    if file.state == BookingFileState.DRAFT:
        return redirect("parcels:booking_columns", file.pk)
    start = _number(request.GET.get("from", ""))
    rows, next_start = read_problems(file, start=start, most=ROWS_A_PAGE)
    context = {
        "file": file,
        "rows": rows,
        "left": _time_left(file.seconds_left),
        "has_workbooks": file.done <= MOST_WORKBOOK_ROWS,
        "came_as_workbook": Path(file.name).suffix.lower() in (".xlsx", ".xlsm", ".xls", ".ods"),
        "not_booked": file.duplicate + file.rejected,
        "next_url": f"?from={next_start}#rows" if next_start else "",
        "previous_url": "?#rows" if start else "",
    }
    response = render(request, "parcels/booking_file.html", context)
    if file.is_finished and request.headers.get("HX-Request"):
        # The polling page reloads: it then shows downloads and rows, and stops polling.
        response["HX-Refresh"] = "true"
    return response


@require_POST
@login_required
def booking_cancel(request: ActorRequest, file_id: int) -> HttpResponse:
    """Cancel a file."""
    actor = booker(request)
    try:
        cancel_booking_file(actor=actor, file_id=file_id)
    except NotFound:
        raise
    except AllianceError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _t("Stopped. Parcels booked so far stay booked."))
    return redirect("parcels:booking_file", file_id)


@require_safe
@login_required
def booking_results(request: ActorRequest, file_id: int) -> StreamingHttpResponse:
    file = _file(request, file_id)
    return _download(file, results_path(file), file.results_size, "results")


@require_safe
@login_required
def booking_problems(request: ActorRequest, file_id: int) -> StreamingHttpResponse:
    file = _file(request, file_id)
    return _download(file, problems_path(file), file.problems_size, "problems")


@require_safe
@login_required
def booking_rejected(request: ActorRequest, file_id: int) -> StreamingHttpResponse:
    file = _file(request, file_id)
    return _download(file, rejected_path(file), file.rejected_size, "rejected")


@require_safe
@login_required
def booking_results_xlsx(request: ActorRequest, file_id: int) -> FileResponse:
    file = _file(request, file_id)
    return _workbook(file, results_path(file), file.results_size, "results")


@require_safe
@login_required
def booking_rejected_xlsx(request: ActorRequest, file_id: int) -> FileResponse:
    file = _file(request, file_id)
    return _workbook(file, rejected_path(file), file.rejected_size, "rejected")


@require_safe
@login_required
def booking_template(request: ActorRequest) -> HttpResponse:
    """Download a file with the right header and a sample row."""
    booker(request)
    text = io.StringIO(newline="")
    # A BOM, because without it spreadsheets assume another encoding.
    text.write("\ufeff")
    csv.writer(text).writerows([columns.FORMAT.header(), columns.SAMPLE])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="bookings.csv"'
    return response


def _download(file: BookingFile, path: Path, size: int, kind: str) -> StreamingHttpResponse:
    """Send the committed part. Raises NotFound before the first slice, and after retention."""
    if not size or file.deleted_at or not path.exists():
        raise NotFound
    name = f"{Path(file.name).stem}-{kind}.csv"
    response = StreamingHttpResponse(
        for_reader(stream(path, size), columns.FORMAT), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    return response


def _workbook(file: BookingFile, path: Path, size: int, kind: str) -> FileResponse:
    """Send the committed part as a workbook. Raises NotFound as _download() does, and for too many rows."""
    if not size or file.deleted_at or not path.exists() or file.done > MOST_WORKBOOK_ROWS:
        raise NotFound
    content = write_workbook(result_rows(path, size))
    name = f"{Path(file.name).stem}-{kind}.xlsx"
    return FileResponse(content, as_attachment=True, filename=name, content_type=CONTENT_TYPE)


def booker(request: ActorRequest) -> Actor:
    actor = request.actor
    require(actor, Capability.BOOK_PARCELS)
    # Ops have the capability, but no merchant to book for: for them this page does not exist.
    if actor.is_ops:
        raise NotFound
    require_booker(actor)
    return actor


def _file(request: ActorRequest, file_id: int) -> BookingFile:
    file = BookingFile.objects.visible_to(booker(request)).filter(pk=file_id).first()
    if file is None:
        raise NotFound
    return file


def _time_left(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return ngettext("about %(n)d second left", "about %(n)d seconds left", seconds) % {"n": seconds}
    minutes = round(seconds / 60)
    return ngettext("about %(n)d minute left", "about %(n)d minutes left", minutes) % {"n": minutes}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
