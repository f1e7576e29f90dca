"""Pages of couriers' scan files: the upload form, progress and results."""

import csv
import io
from itertools import islice
from typing import Any, Final

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from alliance.choices import Capability
from alliance.csv_files.headers import for_reader
from alliance.csv_files.writing import stream
from alliance.errors import InvalidInput, NotFound
from alliance.portal.forms import FilterForm, add_service_errors
from alliance.portal.paging import newest_first
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.choices import ScanCode, ScanReason
from parcels.models import ScanFile
from parcels.scan_files import rows as scan_files
from parcels.scan_files.services import read_results, receive_scan_file, results_path

ROWS_A_PAGE: Final = 100
FILES_A_PAGE: Final = 20
LIST: Final = newest_first("scan files")
RESULTS: Final = (
    ("", _("All")),
    ("rejected", _("Rejected")),
    ("duplicate", _("Duplicate")),
    ("accepted", _("Accepted")),
)


class ScanFileForm(forms.Form):
    file = forms.FileField(label=_("CSV file"))


class RowFilterForm(FilterForm):
    """Which rows of a file to show, by tabs instead of fields."""

    show = forms.ChoiceField(label=_("Rows"), required=False, choices=RESULTS)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def scan_upload(request: ActorRequest) -> HttpResponse:
    """Upload a file of scans, and list the earlier ones."""
    actor = _sender(request)
    form = ScanFileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        upload: UploadedFile[Any] = form.cleaned_data["file"]
        try:
            file = receive_scan_file(actor=actor, upload=upload)
        except InvalidInput as error:
            add_service_errors(form, error)
        else:
            return redirect("parcels:scan_file", file.pk)
    files = ScanFile.objects.visible_to(actor).select_related("uploaded_by")
    page = LIST.page(files, LIST.asked(request), size=FILES_A_PAGE)
    context = {
        "form": form,
        "files": page.rows,
        "columns": scan_files.COLUMNS,
        "codes": ScanCode.choices,
        "reasons": ScanReason.choices,
        "max_bytes": scan_files.MAX_BYTES,
        **page.context,
    }
    return render(request, "parcels/scan_upload.html", context, status=422 if form.errors else page.status)


@require_safe
@login_required
def scan_file(request: ActorRequest, file_id: int) -> HttpResponse:
    """Show a file's progress and the results of its rows; the page polls until the file is finished."""
    file = _file(request, file_id)
    default_filter = "rejected" if file.rejected else ""
    form = RowFilterForm({"show": request.GET.get("show", default_filter)})
    only = form.filters.get("show", "")
    start = max(_number(request.GET.get("from", "")), 0)
    # Read one more row than shown, to know whether there is a next page.
    results = read_results(file, only=only) if form.is_valid() else iter(())
    rows = list(islice(results, start, start + ROWS_A_PAGE + 1))
    context = {
        "file": file,
        "form": form,
        "rows": rows[:ROWS_A_PAGE],
        "only": only,
        "tabs": _tabs(file),
        "next_url": f"?show={only}&from={start + ROWS_A_PAGE}" if len(rows) > ROWS_A_PAGE else "",
        "previous_url": f"?show={only}&from={max(start - ROWS_A_PAGE, 0)}" if start else "",
    }
    return render(request, "parcels/scan_file.html", context, status=form.status)


@require_safe
@login_required
def scan_file_results(request: ActorRequest, file_id: int) -> StreamingHttpResponse:
    """Download one line per row with its result."""
    file = _file(request, file_id)
    if not file.results_size:
        raise NotFound
    results = for_reader(stream(results_path(file), file.results_size), scan_files.FORMAT)
    response = StreamingHttpResponse(results, content_type="text/csv; charset=utf-8")
    name = f"{file.name.removesuffix('.csv')}-results.csv"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    return response


@require_safe
@login_required
def scan_file_template(request: ActorRequest) -> HttpResponse:
    """Download a file with the right header and an example of each kind of row."""
    _sender(request)
    text = io.StringIO(newline="")
    # A BOM, because without it spreadsheets assume another encoding.
    text.write("\ufeff")
    csv.writer(text).writerows([scan_files.FORMAT.header(), *scan_files.EXAMPLES])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="scans.csv"'
    return response


def _sender(request: ActorRequest) -> Actor:
    actor = request.actor
    require(actor, Capability.SEND_SCANS)
    # Ops have the capability, but carry no parcels: for them this page does not exist.
    if not actor.is_courier:
        raise NotFound
    return actor


def _file(request: ActorRequest, file_id: int) -> ScanFile:
    file = ScanFile.objects.visible_to(_sender(request)).filter(pk=file_id).first()
    if file is None:
        raise NotFound
    return file


def _tabs(file: ScanFile) -> list[tuple[str, Any, int]]:
    return [(name, label, getattr(file, name or "done")) for name, label in RESULTS]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
