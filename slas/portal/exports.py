"""Pages of exports: the request, the progress and the download link of each file."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from alliance.errors import Conflict, InvalidInput
from alliance.portal.forms import add_service_errors
from alliance.portal.paging import newest_first
from alliance.tenancy import Actor
from alliance.web.requests import ActorRequest
from slas.choices import ExportContent, ExportFormat, ExportState
from slas.exports.responses import file_response
from slas.exports.services import requests
from slas.models import Export

FILES_A_PAGE = 20
DAYS = 30
# Files are deleted after a while, but stay in the list. Exports of ops have no organisation.
LIST = newest_first("exports", gettext_lazy("Requested"), led_by=("organisation_id",))


class ExportForm(forms.Form):
    """The request of an export; its fields are named as in the API."""

    DEFAULTS: ClassVar[dict[str, str]] = {"content": ExportContent.COMMITMENTS, "format": ExportFormat.CSV}

    content = forms.ChoiceField(label=gettext_lazy("Content"), choices=ExportContent.choices)
    format = forms.ChoiceField(label=gettext_lazy("Format"), choices=ExportFormat.choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # "from" is a keyword, so it cannot be the name of an attribute.
        names = (("from", pgettext_lazy("first day", "From")), ("to", pgettext_lazy("last day", "To")))
        for name, label in names:
            picker = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
            self.fields[name] = forms.DateField(label=label, widget=picker)

    @property
    def export_request(self) -> requests.ExportRequest:
        data = self.cleaned_data
        return requests.ExportRequest(data["content"], data["format"], data["from"], data["to"])


@dataclass(frozen=True, slots=True)
class Row:
    """One file of the list; `url` downloads it, if it exists and the user may download it."""

    export: Export
    url: str

    @property
    def progress_id(self) -> str:
        return f"export-{self.export.pk}"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def export_list(request: ActorRequest) -> HttpResponse:
    """Request a file; list earlier ones, which refresh by themselves while one is being written."""
    actor = request.actor
    files = requests.exports_of(actor)
    form = _form(request)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            requests.request_export(actor=actor, request=form.export_request, now=timezone.now())
        except InvalidInput as error:
            add_service_errors(form, error)
        except Conflict as error:
            problem = error
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("The file is being prepared. It appears below when it is ready."))
            return redirect("slas:export_list")
    page = LIST.page(files, LIST.asked(request), size=FILES_A_PAGE)
    context = {
        "form": form,
        "rows": [Row(export, _url(actor, export)) for export in page.rows],
        "is_running": any(not export.is_finished for export in page.rows),
        "kept_days": requests.KEPT.days,
        "most_days": requests.MOST_DAYS,
        "list_url": request.get_full_path(),
        **page.context,
    }
    status = problem.status if problem else 422 if form.errors else page.status
    return render(request, "slas/export_list.html", context, status=status)


@require_safe
@login_required
def export_file(request: ActorRequest, export_id: int) -> FileResponse:
    """Send a file to a permitted user with a valid link."""
    actor = request.actor
    export = requests.take_export(
        actor=actor,
        export_id=export_id,
        expires=request.GET.get("expires", ""),
        signature=request.GET.get("signature", ""),
        now=timezone.now(),
    )
    return file_response(export)


def _form(request: ActorRequest) -> ExportForm:
    """Return the submitted form, or one with the parameters of the URL and the last 30 days."""
    if request.method == "POST":
        return ExportForm(request.POST)
    today = timezone.localdate()
    days: dict[str, date] = {"from": today - timedelta(days=DAYS - 1), "to": today}
    params = {
        name: value for name, value in request.GET.items() if name in ("content", "format", "from", "to")
    }
    values: dict[str, Any] = {**ExportForm.DEFAULTS, **days, **params}
    # Bind the parameters of a link, so that invalid ones are shown as errors.
    return ExportForm(values) if params else ExportForm(initial=values)


def _url(actor: Actor, export: Export) -> str:
    if export.state != ExportState.DONE or (export.with_fees and not requests.sees_fees(actor)):
        return ""
    return f"{reverse('slas:export_file', args=[export.pk])}?{urlencode(requests.link_of(export))}"
