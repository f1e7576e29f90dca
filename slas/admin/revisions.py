"""The admin of revisions: all of them, and a form to record one."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.web.requests import actor_of
from slas.admin.commitments import NumberSearchAdmin
from slas.admin.offers import EnteredAdmin
from slas.choices import RevisionParty
from slas.models import Revision
from slas.revisions.services import REASON_LENGTH, RevisionRequest, revise_delivery


class RevisionEntryForm(forms.Form):
    """Another delivery day for one parcel."""

    number = forms.CharField(
        label=_("Tracking number"), max_length=40, widget=UnfoldAdminTextInputWidget(attrs={"type": "text"})
    )
    day = forms.DateField(
        label=_("New date"),
        help_text=_("Local date at the destination, on a delivery day of the service."),
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
    )
    reason = forms.CharField(
        label=_("Reason, and who asked"),
        help_text=_("Recorded for the merchant. Recipients change the day themselves on the tracking page."),
        max_length=REASON_LENGTH,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "text"}),
    )

    def clean_number(self) -> int:
        try:
            return parse_tracking_number(self.cleaned_data["number"])
        except InvalidTrackingNumber as error:
            raise forms.ValidationError(str(error)) from None


@admin.register(Revision)
class RevisionAdmin(NumberSearchAdmin, EnteredAdmin):
    list_display = (
        "parcel", "kind", "requested_by", "previous_due_at", "due_at", "judged", "reason", "label",
        "merchant", "courier", "created_at",
    )  # fmt: skip
    list_filter = ("requested_by", "judged", "courier")
    list_prefetch_related = ("merchant", "courier")
    exclude = ("parcel_id",)
    readonly_fields = ("parcel",)
    ordering = ("-pk",)  # type: ignore[assignment]
    entry_form = RevisionEntryForm
    entry_text = _("A later date agreed for a delivery, kept beside the original promise.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Agreements stay on record.
        return False

    def enter(self, request: HttpRequest, form: Any) -> str:
        data = form.cleaned_data
        revision = revise_delivery(
            actor=actor_of(request),
            parcel_id=data["number"],
            asked=RevisionRequest(data["day"], RevisionParty.MERCHANT, data["reason"]),
            now=timezone.now(),
        )
        number = tracking_number(revision.parcel_id)
        return gettext("The delivery date of %(number)s was changed.") % {"number": number}
