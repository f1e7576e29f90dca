"""Ops' door to what was promised: commitments, breaches, excuses, on-time rates.

Read-only; excusing a breach goes through the service.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from alliance.admin import UncountedAdmin
from alliance.errors import AllianceError
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from slas.choices import ExcuseReason
from slas.models import BreachListing, CommitmentListing, Excuse, OnTimeRate
from slas.services.deciding import MOST_AT_ONCE
from slas.services.excuses import excuse_breaches
from slas.rating import RateRow


def key_of(text: str) -> tuple[int, str] | None:
    """Read "<parcel id>:<kind>", the key of a listing; None for anything else."""
    parcel_id, _colon, kind = text.partition(":")
    return (int(parcel_id), kind) if parcel_id.isdigit() and len(parcel_id) < 20 else None


class NumberSearchAdmin(UncountedAdmin):
    """A list of what belongs to parcels, newest parcels first, searched by tracking number."""

    # The field is not searched: it only makes the admin show the box.
    search_fields = ("parcel_id",)
    search_help_text = _("A whole tracking number")
    ordering = ("-parcel_id", "-kind")

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
    list_select_related = ("merchant", "courier", "tier", "origin", "destination")
    exclude = ("parcel_id",)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # By the columns the view is made of: its text key has no index.
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


class StandingFilter(admin.SimpleListFilter):
    """Breaches that still stand, unless asked otherwise."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("open", _("Standing, not excused")),
            ("excused", _("Excused")),
            ("withdrawn", _("Withdrawn")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "open":
                return queryset.filter(withdrawn_at=None, excused=False)
            case "excused":
                return queryset.filter(withdrawn_at=None, excused=True)
            case "withdrawn":
                return queryset.exclude(withdrawn_at=None)
        return queryset


class ExcuseForm(forms.Form):
    """Why breaches were not the courier's fault."""

    reason = forms.ChoiceField(
        label=_("Reason"), choices=[("", "---------"), *ExcuseReason.choices], widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(
        label=_("Note"), required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


@admin.register(BreachListing)
class BreachAdmin(ListingAdmin):
    list_display = (
        "parcel", "kind", "outcome", "excused", "due_at", "reached_at", "opened_at", "withdrawn_at",
        "courier", "merchant", "tier", "lane",
    )  # fmt: skip
    list_filter = (StandingFilter, "kind", "tier", "courier")
    readonly_fields = ("parcel",)
    actions = ("excuse",)

    @admin.action(description=_("Excuse: not the courier's fault"))
    def excuse(self, request: HttpRequest, queryset: QuerySet[BreachListing]) -> HttpResponse | None:
        """Ask for the reason, then excuse what was chosen on the list."""
        form = ExcuseForm(request.POST if "decide" in request.POST else None)
        chosen = _chosen(request, queryset)
        if not form.is_valid():
            return self._ask(request, form, chosen)
        keys = [key for key in map(key_of, chosen) if key is not None]
        try:
            excused, gone, *_rest = excuse_breaches(actor=request.actor, keys=keys, **form.cleaned_data)  # type: ignore[attr-defined]
        except AllianceError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return None
        done = ngettext("%(count)d breach is excused.", "%(count)d breaches are excused.", excused)
        self.message_user(
            request, done % {"count": excused}, messages.SUCCESS if excused else messages.WARNING
        )
        if gone:
            stale = ngettext("%(count)d stands no more.", "%(count)d stand no more.", gone)
            self.message_user(request, stale % {"count": gone}, messages.WARNING)
        return None

    def _ask(self, request: HttpRequest, form: ExcuseForm, chosen: list[str]) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Excuse breaches"),
            "opts": self.model._meta,
            "form": form,
            "chosen": chosen,
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/slas/excuse_breaches.html", context)


def _chosen(request: HttpRequest, queryset: QuerySet[BreachListing]) -> list[str]:
    """The keys ticked, or all of the filtered list, or those the form already carries."""
    if "decide" in request.POST:
        return request.POST.get("keys", "").split()
    if request.POST.get("select_across") == "1":
        # One more than can be decided at once, so that the service says no instead of deciding a part.
        return list(queryset.values_list("key", flat=True)[: MOST_AT_ONCE + 1])
    return request.POST.getlist(ACTION_CHECKBOX_NAME)


@admin.register(Excuse)
class ExcuseAdmin(NumberSearchAdmin):
    list_display = ("parcel", "kind", "reason", "note", "courier", "merchant", "decided_by", "decided_at")
    list_filter = ("reason", "kind", "courier")
    list_select_related = ("courier", "merchant", "decided_by")
    exclude = ("parcel_id",)
    readonly_fields = ("parcel",)
    ordering = ("-decided_at", "-pk")


class GrainFilter(admin.SimpleListFilter):
    """Couriers' lanes, or merchants' couriers: each grain holds every commitment."""

    title = _("cells")
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
class OnTimeRateAdmin(UncountedAdmin):
    list_display = (
        "due_date", "organisation", "counterpart", "origin", "destination", "tier", "kind",
        "met", "late", "overdue", "excused", "pending", "void", "raw", "accountable",
    )  # fmt: skip
    list_filter = (GrainFilter, "kind", "tier")
    list_select_related = ("organisation", "counterpart", "origin", "destination", "tier")
    search_fields = ("organisation__name", "organisation__slug")
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
