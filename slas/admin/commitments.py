"""The admin of commitments and on-time rates, read-only."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from alliance.admin import OrganisationSearchAdmin, UncountedAdmin
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from slas.choices import CommitmentKind
from slas.models import CommitmentListing, OnTimeRate
from slas.rates.rules import RateRow

# The largest value of the column.
LARGEST_ID = 2**63 - 1


def key_of(text: str) -> tuple[int, str] | None:
    """Read "<parcel id>:<kind>", the key of a listing; None for anything else."""
    parcel_id, _colon, kind = text.partition(":")
    if not (parcel_id.isascii() and parcel_id.isdigit()) or kind not in CommitmentKind.values:
        return None
    if len(parcel_id) > len(str(LARGEST_ID)) or int(parcel_id) > LARGEST_ID:
        return None
    return int(parcel_id), kind


class NumberSearchAdmin(UncountedAdmin):
    """A list of rows of parcels, newest parcels first, searched by tracking number.

    Parties are read apart from the rows: on a cluster they are on another node, so that no join brings them.
    """

    list_prefetch_related: tuple[str, ...] = ()
    # Otherwise Django would join what the list shows.
    list_select_related: tuple[str, ...] = ()
    # The field is not searched: it only makes the admin show the search box.
    search_fields = ("parcel_id",)
    search_help_text = _("A full tracking number")
    ordering = ("-parcel_id", "-kind")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related(*self.list_prefetch_related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(parcel_id=parse_tracking_number(search_term)), False
        except InvalidTrackingNumber as error:
            messages.warning(request, str(error))
            return queryset.none(), False

    @admin.display(description=_("parcel"), ordering="parcel_id")
    def parcel(self, row: Any) -> str:
        return tracking_number(row.parcel_id)


class ListingAdmin(NumberSearchAdmin):
    list_prefetch_related = ("merchant", "courier")
    list_select_related = ("tier", "origin", "destination")
    exclude = ("key", "parcel_id")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # By the columns of the view: its text key has no index.
        key = key_of(object_id)
        if key is None:
            return None
        return self.get_queryset(request).filter(parcel_id=key[0], kind=key[1]).first()

    @admin.display(description=_("lane"))
    def lane(self, row: Any) -> str:
        return f"{row.origin} → {row.destination}"


@admin.register(CommitmentListing)
class CommitmentAdmin(ListingAdmin):
    list_display = (
        "parcel", "kind", "outcome", "excused", "due_at", "reached_at", "courier", "merchant", "tier", "lane",
    )  # fmt: skip
    list_filter = ("outcome", "kind", "tier", "courier")
    readonly_fields = ("parcel",)


class GrainFilter(admin.SimpleListFilter):
    """Couriers' lanes, or merchants' couriers: each grain holds every commitment."""

    title = _("statistics")
    parameter_name = "cells"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("couriers", _("By courier and lane")), ("merchants", _("By merchant and courier"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "couriers":
                return queryset.filter(counterpart=None)
            case "merchants":
                return queryset.exclude(counterpart=None)
        return queryset


@admin.register(OnTimeRate)
class OnTimeRateAdmin(OrganisationSearchAdmin):
    list_display = (
        "due_date", "organisation", "counterpart", "origin", "destination", "tier", "kind",
        "met", "late", "overdue", "excused", "pending", "void", "raw", "accountable",
    )  # fmt: skip
    list_filter = (GrainFilter, "kind", "tier")
    exclude = ("marks",)
    list_select_related = ("organisation", "counterpart", "origin", "destination", "tier")
    ordering = ("-due_date", "-pk")

    @admin.display(description=_("raw"))
    def raw(self, cell: OnTimeRate) -> str:
        return _percent(_rates(cell).raw)

    @admin.display(description=_("accountable"))
    def accountable(self, cell: OnTimeRate) -> str:
        return _percent(_rates(cell).accountable)


def _rates(cell: Model) -> RateRow:
    return RateRow((), **{name: getattr(cell, name) for name in OnTimeRate.objects.all().COUNTS})


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.2%}"
