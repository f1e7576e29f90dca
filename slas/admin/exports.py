"""The admin of exports: the files of all organisations, and a form to request one over all data."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from alliance.admin import FileJobMixin
from alliance.long_lists import LongListMixin
from alliance.web.requests import actor_of
from slas.admin.offers import EnteredAdmin
from slas.choices import ExportContent, ExportFormat, ExportState
from slas.exports.services import requests
from slas.exports.services.writing import retry_export
from slas.models import Export


class ExportEntryForm(forms.Form):
    """The content of a file over all data."""

    content = forms.ChoiceField(
        label=_("Content"), choices=ExportContent.choices, widget=UnfoldAdminSelectWidget
    )
    format = forms.ChoiceField(
        label=_("Format"), choices=ExportFormat.choices, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # "from" is a keyword, so it cannot be an attribute.
        names = (("from", pgettext_lazy("first day", "From")), ("to", pgettext_lazy("last day", "To")))
        for name, label in names:
            widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
            self.fields[name] = forms.DateField(label=label, widget=widget)


@admin.register(Export)
class ExportAdmin(FileJobMixin, LongListMixin, EnteredAdmin):
    """The files of all organisations, the newest first. Each is kept for a week."""

    list_display = (
        "content", "format", "first", "last", "organisation", "label", "state", "done", "size", "created_at",
        "expires_at", "link",
    )  # fmt: skip
    list_filter = ("state", "content", "format")
    list_select_related = ("organisation",)
    ordering = ("-pk",)
    fields = (
        "content", "format", "first", "last", "organisation", "label", "with_fees", "state", "problem",
        "attempts", "done", "size", "created_at", "due_at", "finished_at", "expires_at", "link",
    )  # fmt: skip
    resume = staticmethod(retry_export)
    readonly_fields = ("link",)
    entry_form = ExportEntryForm
    entry_text = _("All commitments or on-time statistics due on these days as a file, for operations.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # They expire by themselves.
        return False

    def enter(self, request: HttpRequest, form: Any) -> str:
        data = form.cleaned_data
        export_request = requests.ExportRequest(data["content"], data["format"], data["from"], data["to"])
        requests.request_export(actor=actor_of(request), request=export_request, now=timezone.now())
        return gettext("The file is being prepared.")

    @admin.display(description=_("file"))
    def link(self, export: Export) -> SafeString | str:
        if export.state != ExportState.DONE:
            return "–"
        url = f"{reverse('slas:export_file', args=[export.pk])}?{urlencode(requests.link_of(export))}"
        return format_html('<a class="text-primary-600" href="{}">{}</a>', url, gettext("Download"))
