"""The admin of parcels with their scans and commitments.

Read-only: parcels change by scans and by their merchant's cancelling. The one action on a parcel erases
its recipient on request. Recipients are masked here, too.
"""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from alliance.admin import UncountedAdmin
from alliance.admin_site import FindableMixin
from alliance.dates import date_text, time_text
from alliance.durations import duration_text
from alliance.errors import AllianceError, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.tenancy import Actor
from alliance.web.requests import actor_of
from alliance.wording import money_text, named, parted, sentences
from parcels.bookings.querysets import ParcelQuerySet
from parcels.lists.filters import YesNo
from parcels.models import Parcel, Scan
from parcels.private import may_see_fee, private_of
from parcels.retention.erasing import REASON_LENGTH, erase_early
from parcels.returns.texts import way_of
from parcels.scans.rules import TERMINAL
from parcels.scans.timelines import EARLIER, page_of_scans, track
from parcels.tracking.advice import Reader, advice_of, title_of
from parcels.tracking.queries import states_of
from parcels.tracking.verdicts import verdict_of
from slas.models import Breach, Commitment
from slas.promises.prices import yuan

# The most parcels that a search by reference returns.
MOST_FOUND = 1_000


def _referenced(term: str) -> ParcelQuerySet:
    """Parcels of all members whose reference begins so, in any mix of capitals."""
    parcels: ParcelQuerySet = Parcel.objects.all().under_every_courier()
    return parcels.referenced(*parcels.spellings_of(term, order=""))


class ErasureForm(forms.Form):
    """Who requested the erasure of a recipient, and why."""

    reason = forms.CharField(
        label=_("Who asked for it, and why"),
        max_length=REASON_LENGTH,
        help_text=_("Kept in the audit log: do not name the recipient."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class IsReturn(admin.SimpleListFilter):
    title = _("is a return")
    parameter_name = "is_return"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return YesNo.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.returns(are=self.value() == YesNo.YES) if self.value() else queryset


class HasReturn(IsReturn):
    title = _("has a return")
    parameter_name = "has_return"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.returned(are=self.value() == YesNo.YES) if self.value() else queryset


def _link(parcel_id: int | None) -> str:
    if parcel_id is None:
        return "–"
    url = reverse("admin:parcels_parcel_change", args=[parcel_id])
    return format_html('<a class="text-primary-600" href="{}">{}</a>', url, tracking_number(parcel_id))


@admin.register(Parcel)
class ParcelAdmin(FindableMixin, UncountedAdmin):
    """Every parcel of the alliance, newest first."""

    list_display = (
        "number",
        "way",
        "state_title",
        "reference",
        "merchant",
        "courier",
        "tier",
        "lane",
        "booked_at",
        "agreed",
    )
    list_filter = ("status", "tier", "courier", IsReturn, HasReturn)
    # No joins, see slas/listed.py.
    list_select_related = ()
    ordering = ("-pk",)
    icon_found = "package_2"
    # This field is not searched: it only makes the admin show the search box.
    search_fields = ("reference",)
    search_help_text = _("Full tracking number, or the start of a reference")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "number",
                    "status",
                    "status_at",
                    "contradiction",
                    "reference",
                    "source",
                    "tracking_page",
                )
            },
        ),
        (
            _("Journey"),
            {"fields": ("merchant", "courier", "tier", "lane", "pickup_address", "return_of", "returned_by")},
        ),
        (_("Parcel"), {"fields": ("recipient", "weight_g", "fee")}),
        (_("Times"), {"fields": ("booked_at", "ready_at", "delivered_at", "cancelled_at")}),
        (_("Promise"), {"fields": ("standing", "commitments")}),
        (_("Scans"), {"fields": ("scans",)}),
    )
    actions_detail = ("erase",)
    readonly_fields = (
        "number", "lane", "recipient", "fee", "tracking_page", "standing", "commitments", "scans",
        "return_of", "returned_by",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        names = ("merchant__organisation", "courier__organisation", "tier", "origin", "destination")
        return super().get_queryset(request).prefetch_related(*names)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        # The states of the page at once, for its columns.
        changelist = super().get_changelist_instance(request)
        parcels = list(changelist.result_list)
        states = states_of(actor=actor_of(request), parcels=parcels, now=timezone.now(), with_arrivals=False)
        for parcel in parcels:
            parcel.state = states[parcel.pk]
        changelist.result_list = parcels
        return changelist

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if may_see_fee(actor_of(request)):
            return fieldsets
        return [
            (name, {**options, "fields": [field for field in options["fields"] if field != "fee"]})
            for name, options in fieldsets
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=parse_tracking_number(term)), False
        except InvalidTrackingNumber as error:
            if error.reason == "check":
                messages.warning(request, str(error))
        matches = _referenced(term)
        ids = list(matches.values_list("pk", flat=True)[: MOST_FOUND + 1])
        if len(ids) > MOST_FOUND:
            text = gettext(
                "More than %(most)d references start with this, and not all of them are listed. Enter more "
                "of it."
            )
            messages.warning(request, text % {"most": MOST_FOUND})
        return queryset.filter(pk__in=ids[:MOST_FOUND]), False

    def find(self, request: HttpRequest, term: str) -> QuerySet[Any]:
        try:
            return Parcel.objects.filter(pk=parse_tracking_number(term))
        except InvalidTrackingNumber:
            # Not sorted: a short prefix may be that of a million.
            return _referenced(term).order_by()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # Links may have the tracking number or the id.
        try:
            parcel = super().get_object(request, str(parse_tracking_number(object_id)), from_field)
        except InvalidTrackingNumber:
            parcel = super().get_object(request, object_id, from_field)
        if parcel is not None:
            # For the list of scans, which gets the parcel alone.
            setattr(parcel, EARLIER, request.GET.get(EARLIER, ""))
        return parcel

    @admin.display(description=_("number"), ordering="pk")
    def number(self, parcel: Parcel) -> str:
        return parcel.number

    @admin.display(description=pgettext_lazy("a parcel", "return"))
    def way(self, parcel: Parcel) -> str:
        return way_of(parcel) or "–"

    @admin.display(description=_("return of"))
    def return_of(self, parcel: Parcel) -> str:
        return _link(parcel.return_of_id)

    @admin.display(description=_("returned by"))
    def returned_by(self, parcel: Parcel) -> str:
        if parcel.returned_by_id is None or parcel.has_return:
            return _link(parcel.returned_by_id)
        return format_html("{} · {}", _link(parcel.returned_by_id), gettext("cancelled"))

    @admin.display(description=_("lane"))
    def lane(self, parcel: Parcel) -> str:
        return f"{parcel.origin} → {parcel.destination}"

    @admin.display(description=_("status"), ordering="status")
    def state_title(self, parcel: Any) -> str:
        return title_of(parcel.state)

    @admin.display(description=_("deliver by"), ordering="deliver_by")
    def agreed(self, parcel: Any) -> str:
        """The time agreed now, as on the members' list."""
        promise = parcel.state.promise
        return "–" if promise is None else time_text(promise.deliver_by)

    @admin.display(description=_("state"))
    def standing(self, parcel: Parcel) -> str:
        """The parcel's state in words: the status, what happens next, the agreed day and lateness."""
        now, city = timezone.now(), parcel.destination
        state = states_of(actor=Actor.system("admin"), parcels=[parcel], now=now)[parcel.pk]
        reader = Reader(parcel.courier.organisation.name, city.name, city.time_zone, now)
        advice = advice_of(state, reader)
        text = sentences(advice.what, advice.next)
        if state.promise is None:
            return named(advice.title, text)
        agreed = gettext("Deliver by %(at)s") % {"at": reader.moment(state.promise.deliver_by)}
        return named(advice.title, parted(filter(None, (text, agreed, state.promise.text))))

    @admin.display(description=_("recipient"))
    def recipient(self, parcel: Parcel) -> str:
        masked = private_of(Actor.system("admin"), parcel).recipient
        parts = (masked.name, masked.phone, masked.address)
        if parcel.erased_at:
            return gettext("Erased on %(day)s") % {"day": date_text(localtime(parcel.erased_at))}
        return " · ".join(filter(None, parts)) or "–"

    @admin.display(description=_("fee"))
    def fee(self, parcel: Parcel) -> str:
        return "–" if parcel.fee_fen is None else money_text(yuan(parcel.fee_fen))

    @admin.display(description=_("tracking page"))
    def tracking_page(self, parcel: Parcel) -> SafeString:
        url = reverse("parcels:track", args=[parcel.number])
        return format_html('<a class="text-primary-600" href="{}">{}</a>', url, url)

    @admin.display(description=_("commitments"))
    def commitments(self, parcel: Parcel) -> str:
        """The parcel's commitments with their current outcomes."""
        now = timezone.now()
        breaches = {breach.kind: breach for breach in Breach.objects.filter(parcel_id=parcel.pk)}
        commitments = Commitment.objects.filter(parcel_id=parcel.pk).order_by("due_at")
        rows = [
            {
                "commitment": commitment,
                "verdict": verdict_of(commitment, now=now),
                "breach": breaches.get(commitment.kind),
            }
            for commitment in commitments
        ]
        return render_to_string("admin/parcels/commitments.html", {"rows": rows})

    @admin.display(description=_("scans"))
    def scans(self, parcel: Parcel) -> str:
        """The latest scans, including corrections and withdrawn ones, and a link to earlier ones."""
        tracked_scans = track(Scan.objects.filter(parcel_id=parcel.pk))
        after = getattr(parcel, EARLIER, "")
        # An odd place shows the latest scans.
        page, place = page_of_scans(tracked_scans, after) or page_of_scans(tracked_scans) or ([], "")
        rows = [
            {"told": item, "late": duration_text(item.received_late) if item.received_late else ""}
            for item in page
        ]
        context = {"rows": rows, "earlier": place and urlencode({EARLIER: place}), "is_later": bool(after)}
        return render_to_string("admin/parcels/scans.html", context)

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        parcel = self.get_object(request, str(object_id))
        erasable = parcel is not None and parcel.erased_at is None and parcel.status in TERMINAL
        return super().get_actions_detail(request, object_id) if erasable else []

    @action(
        description=_("Erase the recipient"),
        url_path="erase",
        permissions=["operate"],
        icon="ink_eraser",
        variant=ActionVariant.DANGER,
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Erase name, phone, address, notes and files early, on request."""
        parcel = self.get_object(request, object_id)
        if parcel is None:
            raise NotFound
        back = reverse("admin:parcels_parcel_change", args=[parcel.pk])
        form = ErasureForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                erase_early(
                    actor=actor_of(request),
                    parcel_id=parcel.pk,
                    reason=form.cleaned_data["reason"],
                    now=timezone.now(),
                )
            except AllianceError as error:
                form.add_error("reason", error.detail)
            else:
                messages.success(request, gettext("The recipient of %s was erased.") % parcel.number)
                return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": parcel.number,
            "form": form,
            "back": back,
        }
        return render(request, "admin/parcels/erase.html", context, status=422 if form.errors else 200)
