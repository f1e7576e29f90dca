"""The admin of credits: schedules, the ledger, statements, closing a month.

Schedules are added and months closed through services; the rest is read-only.
"""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from alliance.admin import OrganisationSearchAdmin, ReadOnlyAdmin, operates
from alliance.durations import duration_text
from alliance.errors import AllianceError
from alliance.web.requests import actor_of
from alliance.wording import amount, money_text, parted
from slas.admin.based_on import BasedOnForm
from slas.admin.commitments import NumberSearchAdmin
from slas.admin.offers import EnteredAdmin
from slas.admin.tier_forms import text_input
from slas.credits.months import InvalidMonth, parse_month, spell
from slas.credits.services.closing import MonthBooks, books_of, close_month, open_months
from slas.credits.services.schedules import ScheduleRules, add_schedule, withdraw_schedule
from slas.models import ClosedMonth, CreditEntry, CreditSchedule, ServiceTier, Statement
from slas.promises.prices import InvalidAmount, fen_from_yuan, yuan


def read_bands(text: str) -> list[dict[str, int]]:
    """Read one band per line, minutes and percent. Raises ValueError, naming the line, for anything else."""
    bands = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.replace("%", " ").split()
        if not fields:
            continue
        if len(fields) != 2 or not all(
            field.isascii() and field.isdigit() and len(field) < 9 for field in fields
        ):
            message = _("Line %(number)d: enter minutes and percent, such as 1440 50.")
            raise ValueError(message % {"number": number})
        bands.append({"late_by_minutes": int(fields[0]), "share_percent": int(fields[1])})
    return bands


def bands_text(bands: list[dict[str, int]]) -> str:
    return "\n".join(f"{band['late_by_minutes']} {band['share_percent']}" for band in bands)


class AmountField(forms.CharField):
    """An amount entered in yuan and returned in fen."""

    widget = text_input()

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return fen_from_yuan(text)
        except InvalidAmount as error:
            raise forms.ValidationError(error.message, code=error.code) from None


class ScheduleForm(BasedOnForm):
    """The credits for lateness and loss of a tier, from a moment on."""

    tier = forms.ModelChoiceField(
        ServiceTier.objects.all(), label=gettext_lazy("Tier"), widget=UnfoldAdminSelectWidget
    )
    valid_from = forms.DateTimeField(
        label=gettext_lazy("Valid from"),
        help_text=gettext_lazy("Applies to parcels booked from then on. Beijing time."),
        widget=text_input("datetime-local"),
    )
    bands = forms.CharField(
        label=gettext_lazy("Share of the fee by lateness"),
        help_text=gettext_lazy("One band per line: minutes late and the percentage. The first is 0."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )
    cap_fen = AmountField(
        label=gettext_lazy("At most (CNY)"),
        help_text=gettext_lazy("For a late parcel, regardless of its fee."),
    )
    lost_fen = AmountField(
        label=gettext_lazy("For a lost parcel (CNY)"),
        help_text=gettext_lazy(
            "Replaces the credit for lateness; not less than the maximum for a late parcel."
        ),
    )

    def clean_bands(self) -> list[dict[str, int]]:
        try:
            return read_bands(self.cleaned_data["bands"])
        except ValueError as error:
            raise forms.ValidationError(str(error), code="invalid") from None

    @staticmethod
    def values_of(schedule: CreditSchedule) -> dict[str, Any]:
        return {
            "based_on": schedule.pk,
            "tier": schedule.tier_id,
            "bands": bands_text(schedule.bands),
            "cap_fen": yuan(schedule.cap_fen),
            "lost_fen": yuan(schedule.lost_fen),
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if tier := cleaned.get("tier"):
            self.check_base(CreditSchedule.objects.filter(tier=tier))
        return cleaned

    @property
    def rules(self) -> ScheduleRules:
        return ScheduleRules(**{name: self.cleaned_data[name] for name in ScheduleRules.__slots__})


@admin.register(CreditSchedule)
class CreditScheduleAdmin(EnteredAdmin):
    """Read-only: a change is a new version, and one not in force yet can be withdrawn."""

    list_display = ("tier", "number", "valid_from", "shares", "cap", "lost")
    list_filter = ("tier",)
    list_select_related = ("tier",)
    ordering = ("tier__position", "-number")
    fields = ("tier", "number", "valid_from", "shares", "cap", "lost")
    readonly_fields = ("shares", "cap", "lost")
    entry_form = ScheduleForm
    entry_text = gettext_lazy(
        "The new schedule applies to parcels booked from that moment on. Earlier bookings keep theirs."
    )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is None:
            # A bulk action would hide which of them are in force.
            return False
        return operates(request) and obj.valid_from > timezone.now()  # type: ignore[attr-defined]

    def first_values(self, request: HttpRequest) -> dict[str, Any]:
        """The newest version of the requested tier, or of the first one, as initial values."""
        schedules = CreditSchedule.objects.order_by("tier__position", "-number")
        tier_id = request.GET.get("tier", "")
        newest = schedules.filter(tier_id=int(tier_id)).first() if tier_id.isdecimal() else schedules.first()
        return ScheduleForm.values_of(newest) if newest else {}

    def enter(self, request: HttpRequest, form: ScheduleForm) -> str:
        schedule = add_schedule(
            actor=actor_of(request),
            tier_id=form.cleaned_data["tier"].pk,
            rules=form.rules,
            now=timezone.now(),
        )
        return _("%(version)s was announced.") % {"version": schedule}

    def withdraw(self, request: HttpRequest, obj: CreditSchedule) -> None:
        withdraw_schedule(actor=actor_of(request), schedule_id=obj.pk, now=timezone.now())

    @admin.display(description=gettext_lazy("share of the fee by lateness"))
    def shares(self, schedule: CreditSchedule) -> str:
        return parted(map(_band_text, schedule.bands))

    @admin.display(description=gettext_lazy("at most"), ordering="cap_fen")
    def cap(self, schedule: CreditSchedule) -> str:
        return money_text(yuan(schedule.cap_fen))

    @admin.display(description=pgettext_lazy("credit", "lost"), ordering="lost_fen")
    def lost(self, schedule: CreditSchedule) -> str:
        return money_text(yuan(schedule.lost_fen))


@admin.register(CreditEntry)
class CreditEntryAdmin(NumberSearchAdmin):
    """The ledger, newest first. Read-only: errors are corrected by another entry."""

    list_display = ("at", "parcel", "merchant", "courier", "tier", "cause", "amount", "statement")
    list_filter = ("cause", "tier", "month")
    list_prefetch_related = ("merchant", "courier")
    list_select_related = ("tier",)
    ordering = ("-pk",)  # type: ignore[assignment]
    exclude = ("parcel_id", "amount_fen", "month", "late_by")
    readonly_fields = ("parcel", "amount", "lateness", "statement")

    @admin.display(description=gettext_lazy("late by"))
    def lateness(self, entry: CreditEntry) -> str:
        return duration_text(timedelta(seconds=entry.late_by)) if entry.late_by else "–"

    @admin.display(description=gettext_lazy("amount"), ordering="amount_fen")
    def amount(self, entry: CreditEntry) -> str:
        return money_text(yuan(entry.amount_fen))

    @admin.display(description=gettext_lazy("statement"), ordering="month")
    def statement(self, entry: CreditEntry) -> str:
        return spell(entry.month)


@admin.register(Statement)
class StatementAdmin(OrganisationSearchAdmin):
    """Final statements; each links to the page its owner reads."""

    list_display = ("month_text", "organisation", "kind", "entries", "total", "closed_at", "opened")
    list_filter = ("month", "organisation__kind")
    list_select_related = ("organisation",)
    # Ids follow the months; the month of all organisations has no index.
    ordering = ("-pk",)
    exclude = ("total_fen", "month")
    readonly_fields = ("month_text", "total", "opened")

    @admin.display(description=gettext_lazy("month"), ordering="month")
    def month_text(self, statement: Statement) -> str:
        return spell(statement.month)

    @admin.display(description=gettext_lazy("kind"), ordering="organisation__kind")
    def kind(self, statement: Statement) -> str:
        return statement.organisation.get_kind_display()

    @admin.display(description=gettext_lazy("total"), ordering="total_fen")
    def total(self, statement: Statement) -> str:
        return money_text(yuan(statement.total_fen))

    @admin.display(description=gettext_lazy("entries and files"))
    def opened(self, statement: Statement) -> str:
        address = reverse("slas:statement_detail", args=[spell(statement.month)])
        query = urlencode({"organisation": statement.organisation.public_id})
        return format_html('<a class="text-link" href="{}?{}">{}</a>', address, query, _("Open"))


@admin.register(ClosedMonth)
class ClosedMonthAdmin(ReadOnlyAdmin):
    """A month is closed by adding it here, after a preview of its statements."""

    list_display = ("month_text", "closed_at", "closed_by")
    list_select_related = ("closed_by",)
    ordering = ("-month",)
    exclude = ("month",)
    readonly_fields = ("month_text",)

    @admin.display(description=gettext_lazy("month"), ordering="month")
    def month_text(self, closed_month: ClosedMonth) -> str:
        return spell(closed_month.month)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return operates(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.require_operator(request)
        is_post = request.method == "POST"
        now = timezone.now()
        months = open_months(now=now)
        error = ""
        try:
            chosen_month = _month(request.POST.get("month", "") if is_post else request.GET.get("month", ""))
            if is_post and chosen_month is None:
                error = _("Choose a month.")
            elif is_post and chosen_month is not None:
                if request.POST.get("seen") in (None, _seen(books_of(chosen_month))):
                    return self._close(request, chosen_month)
                error = _(
                    "The ledger has changed since the preview. Check the new sums, then close the month."
                )
        except AllianceError as refused:
            error, chosen_month = refused.detail, None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Close a month"),
            "months": [spell(month) for month in months],
            "preview": _preview(books_of(chosen_month)) if chosen_month in months and chosen_month else None,
            "error": error,
            "back": reverse("admin:slas_closedmonth_changelist"),
        }
        return render(request, "admin/slas/close_month.html", context, status=422 if error else 200)

    def _close(self, request: HttpRequest, month: date) -> HttpResponse:
        books = close_month(actor=actor_of(request), month=month, now=timezone.now())
        params = {"month": spell(month), "count": books.statements, "total": amount(yuan(books.total_fen))}
        messages.success(
            request, _("%(month)s is closed: %(count)d statements, CNY %(total)s in total.") % params
        )
        return redirect("admin:slas_statement_changelist")


def _band_text(band: dict[str, int]) -> str:
    if not band["late_by_minutes"]:
        return _("%(percent)d %% for any delay") % {"percent": band["share_percent"]}
    return _("%(percent)d %% from %(late)s late") % {
        "percent": band["share_percent"],
        "late": duration_text(timedelta(minutes=band["late_by_minutes"])),
    }


def _month(text: str) -> date | None:
    """The requested month; None for an empty or invalid text."""
    try:
        return parse_month(text)
    except InvalidMonth:
        return None


def _seen(books: MonthBooks) -> str:
    """The sums of a preview: other ones are not closed unseen."""
    return f"{books.entries} {books.credited_fen} {books.taken_back_fen}"


def _preview(books: MonthBooks) -> dict[str, Any]:
    return {
        "month": spell(books.month),
        "seen": _seen(books),
        "rows": [
            (_("Entries"), f"{books.entries:,}"),
            (_("Credited"), money_text(yuan(books.credited_fen))),
            (pgettext("credit", "Reversed"), money_text(yuan(books.taken_back_fen))),
            (_("Total"), money_text(yuan(books.total_fen))),
            (_("Statements for merchants"), f"{books.merchants:,}"),
            (_("Statements for couriers"), f"{books.couriers:,}"),
        ],
    }
