"""Ops' lists of freight: final months, which they may mark as settled, and surcharges.

Read-only but for that: surcharges are entered and withdrawn on the courier's page of the month.
"""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from alliance.admin import OrganisationSearchAdmin, operates
from alliance.choices import Capability
from alliance.errors import InvalidInput
from alliance.long_lists import organisations_for_search
from alliance.web.requests import actor_of
from alliance.wording import money_text
from parcels.freight.models import FreightMonth, FreightStatement, Surcharge
from parcels.freight.rules import total_fen
from parcels.freight.services.settling import (
    MOST_AT_ONCE,
    NOTE_LENGTH,
    REFERENCE_LENGTH,
    Payment,
    mark_all_settled,
)
from slas.credits.months import ZONE, InvalidMonth, month_of, next_month, parse_month, spell
from slas.promises.prices import yuan

# Months that a filter offers: the others are found by organisation.
MONTHS_OFFERED = 24


class FinalMonthFilter(admin.SimpleListFilter):
    title = _("month")
    parameter_name = "of"

    def months(self) -> list[date]:
        return list(FreightMonth.objects.order_by("-month").values_list("month", flat=True)[:MONTHS_OFFERED])

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(spell(month), spell(month)) for month in self.months()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        try:
            return queryset.filter(month=parse_month(str(self.value())))
        except InvalidMonth:
            return queryset.none()


class MonthFilter(FinalMonthFilter):
    """With the months that are still open."""

    def months(self) -> list[date]:
        months = super().months()
        now = month_of(timezone.now())
        month = next_month(months[0]) if months else now
        while month <= now:
            months.insert(0, month)
            month = next_month(month)
        return months[:MONTHS_OFFERED]


class SettledFilter(admin.SimpleListFilter):
    title = _("settlement")
    parameter_name = "settled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("Not settled")), ("yes", _("Settled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in {"yes", "no"}:
            return queryset.filter(settled_at__isnull=self.value() == "no")
        return queryset


class PaymentForm(forms.Form):
    settled_on = forms.DateField(
        label=_("Day of the payment"), widget=UnfoldAdminTextInputWidget(attrs={"type": "date"})
    )
    reference = forms.CharField(
        label=_("Reference of the payment"),
        max_length=REFERENCE_LENGTH,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )
    note = forms.CharField(
        label=_("Note"), max_length=NOTE_LENGTH, required=False, widget=UnfoldAdminTextInputWidget()
    )


class FreightAdmin(OrganisationSearchAdmin):
    """A list of what is between a merchant and a courier, found by either, for ops who keep the books."""

    list_select_related: tuple[str, ...] = ("merchant", "courier__organisation")
    # Ids follow the months; the month of all organisations has no index.
    ordering = ("-pk",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        actor = actor_of(request)
        return operates(request) or (actor.is_ops and actor.can(Capability.VIEW_FINANCE))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        found = organisations_for_search(request, term)
        # Each by its own index, which an OR of both would not use.
        rows = self.model._default_manager.order_by()
        of_either = (
            rows.filter(merchant_id__in=found)
            .values("pk")
            .union(rows.filter(courier_id__in=found).values("pk"))
        )
        return queryset.filter(pk__in=of_either), False

    @admin.display(description=_("month"), ordering="month")
    def month_text(self, row: Any) -> str:
        return spell(row.month)

    @admin.display(description=_("page"))
    def opened(self, row: Any) -> str:
        address = reverse("parcels:freight_detail", args=[spell(row.month)])
        query = urlencode({"organisation": row.courier.organisation.slug})
        return format_html('<a class="text-link" href="{}?{}">{}</a>', address, query, gettext("Month"))


@admin.register(FreightStatement)
class FreightStatementAdmin(FreightAdmin):
    list_display = (
        "month_text", "merchant", "courier", "due", "settlement", "opened", "fees", "surcharges",
        "cancellations", "credits_",
    )  # fmt: skip
    list_filter = (FinalMonthFilter, SettledFilter)
    fields = (
        "month_text", "merchant", "courier", "booked_count", "fees", "cancelled_count", "cancellations",
        "surcharges", "credits_", "due", "settlement", "settled_reference", "settled_note", "settled_at",
        "opened",
    )  # fmt: skip
    readonly_fields = (
        "month_text", "fees", "surcharges", "cancellations", "credits_", "due", "settlement", "opened",
    )  # fmt: skip
    actions = ("settle",)
    acts_across = True

    def has_settle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).can(Capability.SETTLE)

    @admin.action(description=_("Mark as settled"), permissions=["settle"])
    def settle(self, request: HttpRequest, queryset: QuerySet[FreightStatement]) -> HttpResponse | None:
        """Ask for the payment, with what is to be settled; then mark all of it."""
        is_asked = "settle" in request.POST
        today = timezone.now().astimezone(ZONE).date()
        form = PaymentForm(request.POST if is_asked else None, initial={"settled_on": today})
        keys = _selected(request) if is_asked else _unsettled(queryset)
        if not keys or len(keys) > MOST_AT_ONCE:
            text = gettext("Select 1 to %(most)d statements that are not settled.") % {"most": MOST_AT_ONCE}
            self.message_user(request, text, messages.ERROR)
            return None
        if form.is_valid():
            data = form.cleaned_data
            payment = Payment(data["settled_on"], data["reference"], data["note"])
            try:
                count = mark_all_settled(
                    actor=actor_of(request), statement_ids=keys, payment=payment, now=timezone.now()
                )
            except InvalidInput as error:
                for item in error.errors:
                    form.add_error(item.field if item.field in form.fields else None, item.message)
            else:
                self._tell(request, count, len(keys))
                return None
        return self._ask(request, form, keys)

    def _tell(self, request: HttpRequest, count: int, asked: int) -> None:
        text = ngettext("%(n)d statement was settled.", "%(n)d statements were settled.", count)
        self.message_user(request, text % {"n": count}, messages.SUCCESS)
        if count < asked:
            text = gettext("%(n)d were settled already, and stay as they were.") % {"n": asked - count}
            self.message_user(request, text, messages.WARNING)

    def _ask(self, request: HttpRequest, form: PaymentForm, keys: list[int]) -> TemplateResponse:
        due = sum(map(total_fen, FreightStatement.objects.filter(pk__in=keys)))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Mark as settled"),
            "opts": self.model._meta,
            "form": form,
            "keys": keys,
            "total": money_text(yuan(due)),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "back": reverse("admin:parcels_freightstatement_changelist"),
        }
        status = 422 if form.errors else 200
        return TemplateResponse(request, "admin/parcels/settle_freight.html", context, status=status)

    @admin.display(description=_("fees"), ordering="fees_fen")
    def fees(self, row: FreightStatement) -> str:
        return money_text(yuan(row.fees_fen))

    @admin.display(description=_("surcharges"), ordering="surcharges_fen")
    def surcharges(self, row: FreightStatement) -> str:
        return money_text(yuan(row.surcharges_fen))

    @admin.display(description=_("cancellations"), ordering="cancelled_fen")
    def cancellations(self, row: FreightStatement) -> str:
        return money_text(yuan(-row.cancelled_fen))

    @admin.display(description=_("credits"), ordering="credits_fen")
    def credits_(self, row: FreightStatement) -> str:
        return money_text(yuan(-row.credits_fen))

    @admin.display(description=_("amount due"))
    def due(self, row: FreightStatement) -> str:
        return money_text(yuan(total_fen(row)))

    @admin.display(description=_("settled on"), ordering="settled_on")
    def settlement(self, row: FreightStatement) -> str:
        address = reverse("parcels:freight_settle", args=[row.pk])
        text = row.settled_on.isoformat() if row.settled_on else gettext("Not settled")
        return format_html('<a class="text-link" href="{}">{}</a>', address, text)


@admin.register(Surcharge)
class SurchargeAdmin(FreightAdmin):
    list_display = (
        "entered_at", "month_text", "courier", "merchant", "amount_text", "state", "opened", "reason",
        "parcel_number",
    )  # fmt: skip
    list_select_related = ("merchant", "courier__organisation", "withdrawn_by")
    list_filter = (MonthFilter,)
    fields = (
        "month_text", "courier", "merchant", "amount_text", "reason", "parcel_number", "entered_at",
        "entered_by", "state", "withdraws", "opened",
    )  # fmt: skip
    readonly_fields = ("month_text", "amount_text", "state", "opened")

    @admin.display(description=_("amount"), ordering="amount_fen")
    def amount_text(self, row: Surcharge) -> str:
        return money_text(row.amount)

    @admin.display(description=_("state"))
    def state(self, row: Surcharge) -> str:
        address = reverse("parcels:freight_surcharge", args=[row.pk])
        text = gettext("In force")
        if row.withdraws_id is not None:
            text = gettext("Takes back another")
        elif row.withdrawn_by_id is not None:
            text = gettext("Withdrawn")
        return format_html('<a class="text-link" href="{}">{}</a>', address, text)


def _unsettled(queryset: QuerySet[FreightStatement]) -> list[int]:
    # One more than can be settled at once, so that it is refused instead of settling a part.
    rows = queryset.filter(settled_at=None).order_by("-pk")
    return list(rows.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])


def _selected(request: HttpRequest) -> list[int]:
    """The statements that were shown with the question, whatever the list has now."""
    keys = request.POST.get("keys", "").split()
    return [int(key) for key in keys if key.isascii() and key.isdecimal() and len(key) < 19]
