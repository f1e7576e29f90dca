"""Pages of couriers' files of offers: the upload, what a file changes, saving it, downloads."""

import csv
import io
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.csv_files.headers import for_reader
from alliance.csv_files.writing import MARK, stream
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.portal.forms import FilterForm, add_service_errors
from alliance.portal.paging import newest_first
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from slas.choices import TierCode
from slas.models import OfferFile
from slas.offers.services import offer_files
from slas.offers.services.offer_rows import FORMAT, SAMPLES

ROWS_A_PAGE: Final = 100
FILES_A_PAGE: Final = 20
LIST: Final = newest_first("offer files")
RESULTS: Final = (
    ("", _("All")),
    ("created", _("Added")),
    ("changed", _("Changed")),
    ("unchanged", _("Unchanged")),
    ("rejected", _("Rejected")),
)


class OfferFileForm(forms.Form):
    file = forms.FileField(label=_("CSV file"))


class RowFilterForm(FilterForm):
    """Which rows of a file to show, by tabs instead of fields."""

    show = forms.ChoiceField(label=_("Rows"), required=False, choices=RESULTS)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def offer_upload(request: ActorRequest) -> HttpResponse:
    """Upload a file of offers, and list the earlier ones. Nothing is saved before it was looked at."""
    actor = request.actor
    require(actor, Capability.MANAGE_OFFERS)
    form = OfferFileForm(request.POST, request.FILES) if request.method == "POST" else OfferFileForm()
    if request.method == "POST" and form.is_valid():
        upload: UploadedFile[Any] = form.cleaned_data["file"]
        try:
            file = offer_files.receive_offer_file(actor=actor, upload=upload)
        except InvalidInput as error:
            add_service_errors(form, error)
        except Conflict as error:
            form.add_error(None, error.detail)
        else:
            return redirect("slas:offer_file", file.pk)
    files = OfferFile.objects.visible_to(actor).select_related("uploaded_by")
    page = LIST.page(files, LIST.asked(request), size=FILES_A_PAGE)
    context = {
        "form": form,
        "files": page.rows,
        "tiers": TierCode.choices,
        "max_bytes": offer_files.MAX_BYTES,
        **page.context,
    }
    return render(request, "slas/offer_upload.html", context, status=422 if form.errors else page.status)


@require_safe
@login_required
def offer_file(request: ActorRequest, file_id: int) -> HttpResponse:
    """Show a file's progress and what its rows change; the page polls until the file is checked or saved."""
    file = _file(request.actor, file_id)
    form = RowFilterForm({"show": request.GET.get("show", "rejected" if file.rejected else "")})
    only = form.filters.get("show", "")
    start = _number(request.GET.get("from", ""))
    # Read one more row than shown, to know whether there is a next page.
    results = offer_files.read_results(file, only=only) if form.is_valid() else iter(())
    rows = list(islice(results, start, start + ROWS_A_PAGE + 1))
    context = {
        "file": file,
        "form": form,
        "rows": rows[:ROWS_A_PAGE],
        "only": only,
        "tabs": [(name, label, getattr(file, name or "done")) for name, label in RESULTS],
        "changes": file.created + file.changed,
        "next_url": f"?show={only}&from={start + ROWS_A_PAGE}" if len(rows) > ROWS_A_PAGE else "",
        "previous_url": f"?show={only}&from={max(start - ROWS_A_PAGE, 0)}" if start else "",
    }
    response = render(request, "slas/offer_file.html", context, status=form.status)
    if file.is_finished and request.headers.get("HX-Request"):
        # The polling page reloads: it then shows buttons and rows, and stops polling.
        response["HX-Refresh"] = "true"
    return response


@require_POST
@login_required
def offer_file_save(request: ActorRequest, file_id: int) -> HttpResponse:
    """Save the offers of a checked file."""
    try:
        file = offer_files.save_offer_file(actor=request.actor, file_id=file_id)
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        if file.is_finished:
            messages.success(request, _t("The offers were saved. Existing bookings keep their price."))
    return redirect("slas:offer_file", file_id)


@require_safe
@login_required
def offer_file_results(request: ActorRequest, file_id: int) -> StreamingHttpResponse:
    """Download one line per row with what it changes."""
    file = _file(request.actor, file_id)
    return _download(file, offer_files.results_path(file), file.results_size, "results")


@require_safe
@login_required
def offer_file_rejected(request: ActorRequest, file_id: int) -> StreamingHttpResponse:
    """Download the rejected rows, to correct and upload them."""
    file = _file(request.actor, file_id)
    size = file.rejected_size if file.rejected else 0
    return _download(file, offer_files.rejected_path(file), size, "rejected")


@require_safe
@login_required
def offer_template(request: ActorRequest) -> HttpResponse:
    """Download a file with the right header, in the reader's language, and a row for each tier."""
    require(request.actor, Capability.MANAGE_OFFERS)
    text = io.StringIO(newline="")
    text.write(MARK)
    csv.writer(text).writerows([FORMAT.header(), *SAMPLES])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="offers.csv"'
    return response


def _file(actor: Actor, file_id: int) -> OfferFile:
    require(actor, Capability.MANAGE_OFFERS)
    file = OfferFile.objects.visible_to(actor).filter(pk=file_id).first()
    if file is None:
        raise NotFound
    return file


def _download(file: OfferFile, path: Path, size: int, kind: str) -> StreamingHttpResponse:
    if not size or file.deleted_at or not path.exists():
        raise NotFound
    name = f"{file.name.removesuffix('.csv')}-{kind}.csv"
    response = StreamingHttpResponse(
        for_reader(stream(path, size), FORMAT), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    return response


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
