"""The admin of couriers' homes: in which parts of a cluster their parcels are."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from alliance.admin import ReadOnlyAdmin
from couriers.models import CourierHome

_NEW, _PAST = "new", "past"


class StateFilter(admin.SimpleListFilter):
    """By whether new parcels go there."""

    title = gettext_lazy("parcels")
    parameter_name = "parcels"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(_NEW, _("new ones, too")), (_PAST, _("earlier ones only"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in {_NEW, _PAST}:
            return queryset
        return queryset.filter(until__isnull=self.value() == _NEW)


@admin.register(CourierHome)
class CourierHomeAdmin(ReadOnlyAdmin):
    """The homes of couriers; they follow the traffic every night."""

    list_display = ("courier", "number", "since", "until", "share")
    list_filter = (StateFilter, "home")
    list_select_related = ("courier",)
    search_fields = ("courier__legal_name",)
    fields = ("courier", "number", "since", "until", "share")
    readonly_fields = fields

    @display(description=gettext_lazy("Home"), ordering="home")
    def number(self, row: CourierHome) -> str:
        return _("all") if row.home is None else str(row.home)

    @display(description=gettext_lazy("Share of all parcels"), ordering="share_ppm")
    def share(self, row: CourierHome) -> str | None:
        # Not counted before the first night, and not of past homes.
        return f"{row.share_ppm / 10_000:.2f} %" if row.share_ppm else None
