"""The admin of the watch list: all parcels that are late or may become so. Read-only."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from alliance.dates import time_text
from alliance.templatetags.ui import percent
from slas.admin.commitments import NumberSearchAdmin
from slas.models import WatchItem

CHANCES = ("5", "20", "50", "80")


class ChanceFilter(admin.SimpleListFilter):
    """Parcels that need a look by default, or all from a chance on."""

    title = _("chance of being late")
    parameter_name = "likely"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, f"≥ {value} %") for value in CHANCES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value in CHANCES:
            return queryset.filter(chance__gte=int(value) / 100)
        return queryset.needing_a_look()  # type: ignore[attr-defined]


class DueFilter(admin.SimpleListFilter):
    """Parcels not due yet, soonest due first, or parcels past due."""

    title = _("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("ahead", _("Not due yet")), ("past", _("Past due"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "ahead":
                return queryset.filter(due_at__gte=timezone.now())
            case "past":
                return queryset.filter(due_at__lt=timezone.now())
        return queryset


@admin.register(WatchItem)
class WatchItemAdmin(NumberSearchAdmin):
    list_display = (
        "parcel", "reason", "chance_late", "due", "expected", "stage", "courier", "merchant", "tier",
        "lane",
    )  # fmt: skip
    list_filter = (DueFilter, "reason", ChanceFilter, "tier", "courier")
    list_prefetch_related = ("courier", "merchant")
    list_select_related = ("tier", "origin", "destination")
    exclude = ("parcel_id", "chance", "is_in_trouble")
    readonly_fields = ("parcel", "chance_late")
    # Links lead to the parcel: a reason has no page of its own.
    list_display_links = None
    ordering = ("-is_in_trouble", "due_at")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Past due parcels latest first, as on the members' list.
        return (
            ("-is_in_trouble", "-due_at")
            if request.GET.get(DueFilter.parameter_name) == "past"
            else self.ordering
        )

    @admin.display(description=_("parcel"))
    def parcel(self, row: WatchItem) -> SafeString:
        url = reverse("admin:parcels_parcel_change", args=[row.parcel_id])
        return format_html('<a class="text-primary-600" href="{}">{}</a>', url, row.number)

    @admin.display(description=_("chance of being late"), ordering="chance")
    def chance_late(self, row: WatchItem) -> str:
        return percent(row.chance, 0)

    @admin.display(description=_("due"), ordering="due_at")
    def due(self, row: WatchItem) -> SafeString:
        return _clock(row.due_at)

    @admin.display(description=_("expected"), ordering="p50_at")
    def expected(self, row: WatchItem) -> SafeString | str:
        """The times by which half and nine in ten of such parcels are attempted."""
        if row.p50_at is None or row.p90_at is None:
            return "–"
        return format_html("{} – {}", _clock(row.p50_at), _clock(row.p90_at))

    @admin.display(description=_("lane"))
    def lane(self, row: WatchItem) -> str:
        return f"{row.origin} → {row.destination}"


def _clock(moment: datetime) -> SafeString:
    """A time in one line: wrapped at its hyphens it is hard to read in a column."""
    text = time_text(moment)
    return format_html('<span class="whitespace-nowrap">{}</span>', text)
