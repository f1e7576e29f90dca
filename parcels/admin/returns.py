"""The admin of returns: what merchants allow, and what recipients asked for. For looking."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from alliance.admin import OrganisationSearchAdmin, UncountedAdmin
from parcels.models import ReturnPolicy, ReturnRequest


@admin.register(ReturnPolicy)
class ReturnPolicyAdmin(OrganisationSearchAdmin):
    list_display = ("merchant", "is_allowed", "window_days", "reasons", "note", "changed_at")
    list_select_related = ("merchant__organisation",)
    list_filter = ("is_allowed",)
    organisation_field = "merchant_id"
    ordering = ("-pk",)


@admin.register(ReturnRequest)
class ReturnRequestAdmin(UncountedAdmin):
    # No joins, see slas/listed.py.
    list_select_related = ()
    list_display = ("parcel", "merchant", "state", "reason", "note", "answer", "requested_at", "decided_at")
    list_filter = ("state", "reason")
    ordering = ("-pk",)
    exclude = ("parcel_id",)
    readonly_fields = ("parcel",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("merchant")

    @admin.display(description=_("parcel"), ordering="pk")
    def parcel(self, request: Any) -> str:
        return str(request.number)
