"""The admin of closures: days, or hours, in which a place does not work."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action

from alliance.admin import operates
from alliance.cities import province_text
from alliance.web.requests import actor_of
from slas.admin.closure_forms import ClosureForm, HolidaysForm
from slas.admin.excuse_proposals import ProposingMixin
from slas.admin.offers import EnteredAdmin, try_to_enter
from slas.models import Closure
from slas.promises.closures import MIDNIGHT, Hours
from slas.promises.holidays import last_published_year
from slas.promises.services.closures import declare_closures, withdraw_closure
from slas.promises.services.holidays import load_holidays
from slas.promises.texts import closure_text, hours_text


class StateFilter(admin.SimpleListFilter):
    """Whether and when promises take the closure into account."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("ahead", gettext_lazy("Today and later")),
            ("standing", gettext_lazy("All in force")),
            ("announced_later", gettext_lazy("Announced later")),
            ("withdrawn", gettext_lazy("Withdrawn")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Closure]) -> QuerySet[Closure]:
        closures = queryset.filter(withdrawn_at=None)
        match self.value():
            case "ahead":
                return closures.filter(date__gte=timezone.localdate())
            case "standing":
                return closures
            case "announced_later":
                return closures.filter(announced_at__gt=timezone.now())
            case "withdrawn":
                return queryset.exclude(withdrawn_at=None)
        return queryset


class ExtentFilter(admin.SimpleListFilter):
    """The extent of the closure: area, or hours of a day."""

    title = gettext_lazy("extent")
    parameter_name = "extent"
    EXTENTS = {  # noqa: RUF012 -- never changed
        "country": Q(city=None, province=""),
        "province": Q(city=None) & ~Q(province=""),
        "city": Q(city__isnull=False),
        "hours": Q(starts__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("country", gettext_lazy("A country")),
            ("province", gettext_lazy("A province")),
            ("city", gettext_lazy("A city")),
            ("hours", gettext_lazy("Hours of a day")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Closure]) -> QuerySet[Closure]:
        condition = self.EXTENTS.get(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)


@admin.register(Closure)
class ClosureAdmin(ProposingMixin, EnteredAdmin):
    """Declared and withdrawn by ops; public holidays come from packages, a year at a time."""

    list_display = (
        "date", "hours", "title", "place", "side", "is_public_holiday", "announced_at", "withdrawn_at",
    )  # fmt: skip
    list_filter = (StateFilter, ExtentFilter, "is_public_holiday", "side", "country")
    list_select_related = ("city",)
    search_fields = ("name", "city__name_en", "city__name_zh", "province")
    date_hierarchy = "date"
    ordering = ("-date", "name")
    fields = (
        "title", "date", "hours", "place", "country", "side", "is_public_holiday", "announced_at",
        "withdrawn_at",
    )  # fmt: skip
    readonly_fields = ("title", "hours", "place")
    actions = ("withdraw_chosen",)
    actions_list = ("holidays",)
    delete_confirmation_template = "admin/slas/withdraw_closures.html"
    entry_form = ClosureForm
    entry_text = gettext_lazy(
        "Promises made after the announcement avoid these days. Deadlines within closed hours move "
        "to after them. Existing promises do not change; their breaches can be exempted."
    )

    def has_delete_permission(self, request: HttpRequest, obj: Closure | None = None) -> bool:  # type: ignore[override]
        return operates(request) and (obj is None or obj.withdrawn_at is None)

    def enter(self, request: HttpRequest, form: ClosureForm) -> str:
        closures = declare_closures(actor=actor_of(request), declaration=form.declaration)
        message = ngettext("Closed for %(count)d day.", "Closed for %(count)d days.", len(closures))
        return message % {"count": len(closures)}

    # --- taking back ---

    def withdraw(self, request: HttpRequest, obj: Closure) -> None:
        withdraw_closure(actor=actor_of(request), closure_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        # Nothing is deleted: rows that refer to a closure do not prevent its withdrawal.
        return [str(obj) for obj in objs], {}, set(), []

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """Do nothing: the service writes the audit entry."""

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        messages.success(request, _("%(closure)s was withdrawn.") % {"closure": obj_display})
        return redirect("admin:slas_closure_changelist")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description=gettext_lazy("Withdraw selected closures"), permissions=["delete"])
    def withdraw_chosen(self, request: HttpRequest, queryset: QuerySet[Closure]) -> HttpResponse | None:
        """Ask for confirmation, then withdraw; closures withdrawn already stay so."""
        closures = list(queryset.filter(withdrawn_at=None).order_by("date", "name"))
        if "post" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Withdraw closures"),
                "deleted_objects": [str(item) for item in closures],
                "chosen": [item.pk for item in closures],
                "action": "withdraw_chosen",
            }
            return render(request, self.delete_confirmation_template, context)
        with transaction.atomic():
            for closure in closures:
                self.withdraw(request, closure)
        message = ngettext(
            "%(count)d closure was withdrawn.", "%(count)d closures were withdrawn.", len(closures)
        )
        messages.success(request, message % {"count": len(closures)})
        return None

    # --- public holidays ---

    @action(
        description=gettext_lazy("Load public holidays"),
        url_path="holidays",
        icon="celebration",
        permissions=["operate"],
    )
    def holidays(self, request: HttpRequest) -> HttpResponse:
        """Make the stored public holidays of some years match the packages."""
        form = HolidaysForm(request.POST or None, initial=HolidaysForm.first_values(timezone.now()))
        back = reverse("admin:slas_closure_changelist")
        if request.method == "POST" and form.is_valid() and try_to_enter(_load, request, form):
            return redirect(f"{back}?is_public_holiday__exact=1")
        text = _(
            "China's public holidays from the installed packages: the published schedule up to %(year)d, "
            "the legal holidays for later years. Loading again only updates days that have changed in "
            "the packages. Each version of a tier says whether it works on public holidays."
        ) % {"year": last_published_year()}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Load public holidays"),
            "form": form,
            "text": text,
            "back": back,
        }
        return render(request, "admin/slas/enter.html", context, status=422 if form.errors else 200)

    # --- columns ---

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def title(self, closure: Closure) -> str:
        return closure_text(closure.name)

    @admin.display(description=gettext_lazy("hours"))
    def hours(self, closure: Closure) -> str:
        if closure.starts is None:
            return _("all day")
        return hours_text(Hours(closure.starts or MIDNIGHT, closure.ends))

    @admin.display(description=gettext_lazy("place"))
    def place(self, closure: Closure) -> str:
        if closure.city is not None:
            return f"{closure.city}, {closure.city.province}" if closure.city.province else str(closure.city)
        return province_text(closure.country, closure.province) or closure.country


def _load(request: HttpRequest, form: HolidaysForm) -> str:
    first, last = form.years
    result = load_holidays(actor=actor_of(request), first_year=first, last_year=last)
    return _("%(added)d days added, %(removed)d withdrawn, %(kept)d kept.") % {
        "added": result.added,
        "removed": result.removed,
        "kept": result.kept,
    }
