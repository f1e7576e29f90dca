"""The admin of tiers, their versions, offers and capacity.

Ops write through services; offers are written by couriers only.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.admin import ReadOnlyAdmin, UncountedAdmin, operates
from alliance.errors import AllianceError
from alliance.web.requests import actor_of
from alliance.wording import money_text, parted
from slas.admin.promises import PromisedMixin
from slas.admin.tier_forms import VersionForm, add_errors, values_of
from slas.models import CapacityDay, Offer, ServiceTier, TierVersion
from slas.promises import rule_texts
from slas.promises.prices import yuan
from slas.promises.services.versions import add_version, withdraw_version


class EnteredAdmin(ReadOnlyAdmin):
    """Rows that ops add and withdraw through services. The form validates; `enter` calls the service."""

    entry_form: type[forms.Form]
    entry_text: Any = ""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return operates(request)

    def enter(self, request: HttpRequest, form: Any) -> str:
        """Call the service with the form's data; return the message for the user."""
        raise NotImplementedError

    def first_values(self, request: HttpRequest) -> dict[str, Any]:
        """The initial values of the form."""
        return {}

    def withdraw(self, request: HttpRequest, obj: Any) -> None:
        """Withdraw a row through its service."""
        raise NotImplementedError

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.require_operator(request)
        form = self.entry_form(request.POST or None, initial=self.first_values(request))
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        if request.method == "POST" and form.is_valid() and try_to_enter(self.enter, request, form):
            return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Add %(name)s") % {"name": self.opts.verbose_name},
            "form": form,
            "text": self.entry_text,
            "back": back,
        }
        return render(request, "admin/slas/enter.html", context, status=422 if form.errors else 200)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self.withdraw(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.withdraw(request, row)


def try_to_enter(enter: Callable[..., str], request: HttpRequest, form: forms.Form) -> bool:
    """Call `enter`; return whether it succeeded. Errors are added to the form."""
    try:
        messages.success(request, enter(request, form))
    except AllianceError as error:
        add_errors(form, error)
    return not form.errors


@admin.register(ServiceTier)
class ServiceTierAdmin(ReadOnlyAdmin):
    list_display = ("name_en", "name_zh", "code", "active", "in_force", "position")
    fields = ("code", "name_en", "name_zh", "active", "position", "in_force")
    readonly_fields = ("in_force",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceTier]:
        versions = TierVersion.objects.filter(valid_from__lte=timezone.now()).order_by("-valid_from")
        return super().get_queryset(request).prefetch_related(Prefetch("versions", versions, "standing"))

    @admin.display(description=gettext_lazy("version in force"))
    def in_force(self, tier: ServiceTier) -> str:
        version: TierVersion | None = next(iter(tier.standing), None)  # type: ignore[attr-defined]
        return f"v{version.number}" if version else "–"


@admin.register(TierVersion)
class TierVersionAdmin(PromisedMixin, EnteredAdmin):
    """Read-only: a change is a new version, and one not in force yet can be withdrawn."""

    list_display = (
        "tier", "number", "valid_from", "cut_off_times", "pickup_by", "deliver_by", "days_in_transit",
        "works_on_holidays",
    )  # fmt: skip
    list_filter = ("tier",)
    list_select_related = ("tier",)
    ordering = ("tier__position", "-number")
    fields = (
        "tier", "number", "valid_from", "cut_off_times", "pickup_by", "deliver_by", "days_in_transit",
        "delivered_on", "works_on_holidays", "prices",
    )  # fmt: skip
    readonly_fields = ("cut_off_times", "delivered_on", "prices")
    actions_list = ("promised",)
    actions_detail = ("promised_by",)
    entry_form = VersionForm
    entry_text = gettext_lazy(
        "Bookings from that moment on use the new rules. Existing promises do not change."
    )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is None:
            # A bulk action would hide which of them are in force.
            return False
        return operates(request) and obj.valid_from > timezone.now()  # type: ignore[attr-defined]

    def first_values(self, request: HttpRequest) -> dict[str, Any]:
        """The newest version of the requested tier, or of the first one, as initial values."""
        versions = TierVersion.objects.order_by("tier__position", "-number")
        tier_id = request.GET.get("tier", "")
        newest = versions.filter(tier_id=int(tier_id)).first() if tier_id.isdecimal() else versions.first()
        return values_of(newest) if newest else {}

    def enter(self, request: HttpRequest, form: VersionForm) -> str:
        version = add_version(
            actor=actor_of(request),
            tier_id=form.cleaned_data["tier"].pk,
            rules=form.rules,
            now=timezone.now(),
        )
        return _("%(version)s was announced.") % {"version": version}

    def withdraw(self, request: HttpRequest, obj: TierVersion) -> None:
        withdraw_version(actor=actor_of(request), version_id=obj.pk, now=timezone.now())

    @admin.display(description=gettext_lazy("cut-offs"))
    def cut_off_times(self, version: TierVersion) -> str:
        return rule_texts.cut_off_times(version)

    @admin.display(description=gettext_lazy("weekdays delivered"))
    def delivered_on(self, version: TierVersion) -> str:
        return rule_texts.delivered_on(version)

    @admin.display(description=gettext_lazy("price by weight"))
    def prices(self, version: TierVersion) -> str:
        return parted(rule_texts.price_bands(version))


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin):
    list_display = (
        "courier",
        "tier",
        "origin",
        "destination",
        "price",
        "daily_capacity",
        "active",
        "updated_at",
    )
    list_filter = ("active", "tier", "courier")
    list_select_related = ("courier", "tier", "origin", "destination")
    search_fields = ("=origin__code", "=destination__code", "origin__name_en", "origin__name_zh")
    ordering = ("courier__legal_name", "origin__name_en", "destination__name_en", "tier__position")
    exclude = ("price_fen",)
    readonly_fields = ("price", "updated_at")

    @admin.display(description=gettext_lazy("price"), ordering="price_fen")
    def price(self, offer: Offer) -> str:
        return money_text(yuan(offer.price_fen))


@admin.register(CapacityDay)
class CapacityDayAdmin(UncountedAdmin):
    list_display = ("date", "courier", "lane", "reserved", "limit")
    list_filter = ("courier",)
    list_select_related = ("courier", "offer__origin", "offer__destination", "offer__tier")
    # Rows are created by the first booking of a day; the day has no index.
    ordering = ("-pk",)

    @admin.display(description=gettext_lazy("lane"))
    def lane(self, day: CapacityDay) -> str:
        return f"{day.offer.origin} → {day.offer.destination}, {day.offer.tier}"
