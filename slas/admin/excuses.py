"""The admin of breaches and excuses: direct excuses, single and bulk decisions, events."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from alliance.admin import operates
from alliance.cities import province_text
from alliance.database.found_at_home import only_row
from alliance.database.together import over_one_connection
from alliance.errors import InvalidInput, NotFound, NotPermitted
from alliance.figures import unless_away
from alliance.long_lists import parcel_asked
from alliance.tenancy import Actor
from alliance.web.requests import actor_of
from couriers.models import Courier
from slas.admin.commitments import LARGEST_ID, ListingAdmin, NumberSearchAdmin, key_of
from slas.admin.excuse_forms import BulkDecisionForm, DecisionFilterForm, DisruptionForm, ExcuseForm
from slas.admin.excuse_proposals import ProposingMixin
from slas.admin.excuse_texts import decided_texts, excused_texts
from slas.admin.offers import EnteredAdmin
from slas.choices import ExcuseState
from slas.excuses.querysets import ExcuseQuerySet
from slas.excuses.services.decisions import decide_excuses, excuse_breaches
from slas.excuses.services.disruptions import Area, Period, declare_disruption, withdraw_disruption
from slas.excuses.services.permissions import MOST_AT_ONCE, may_decide, require_decider
from slas.models import BreachListing, Disruption, Excuse

ROWS_SHOWN = 50
# The form fields that the decision page keeps from the list.
CHOSEN = ("ids", "state")


class StandingFilter(admin.SimpleListFilter):
    """Open breaches by default."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("open", _("In force, not exempt")),
            ("excused", _("Exempt")),
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


class BreachPageMixin:
    """A link to the breach page that courier and merchant read."""

    @admin.display(description=_("breach page"))
    def breach_page(self, row: Any) -> str:
        url = reverse("parcels:breach_detail", args=[row.number, row.kind])
        return format_html('<a class="text-primary-600" href="{}">{}</a>', url, url)


@admin.register(BreachListing)
class BreachAdmin(BreachPageMixin, ListingAdmin):
    list_display = (
        "parcel", "kind", "outcome", "excused", "due_at", "reached_at", "opened_at", "withdrawn_at",
        "courier", "merchant", "tier", "lane",
    )  # fmt: skip
    list_filter = (StandingFilter, "kind", "tier", "courier")
    readonly_fields = ("parcel", "breach_page")
    actions = ("excuse",)
    acts_across = True

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_decide(actor_of(request))

    @admin.action(description=_("Exemption: not the courier's fault"), permissions=["decide"])
    def excuse(self, request: HttpRequest, queryset: QuerySet[BreachListing]) -> HttpResponse | None:
        """Ask for the reason, then excuse the selected breaches."""
        form = ExcuseForm(request.POST if "decide" in request.POST else None)
        keys_text = _selected_keys(request, queryset)
        if not form.is_valid():
            return self._ask(request, form, keys_text)
        keys = [key for key in map(key_of, keys_text) if key is not None]
        try:
            result = excuse_breaches(actor=actor_of(request), keys=keys, **form.cleaned_data)
        except (InvalidInput, NotPermitted) as error:
            message = "; ".join(str(item.message) for item in error.errors) or error.detail
            self.message_user(request, message, messages.ERROR)
            return None
        for level, text in excused_texts(result):
            self.message_user(request, text, level)
        return None

    def _ask(self, request: HttpRequest, form: ExcuseForm, chosen: list[str]) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Exempt breaches"),
            "opts": self.model._meta,
            "form": form,
            "chosen": chosen,
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/slas/excuse_breaches.html", context)


def _selected_keys(request: HttpRequest, queryset: QuerySet[BreachListing]) -> list[str]:
    """The selected keys, or all of the filtered list, or those the form carries already."""
    if "decide" in request.POST:
        return request.POST.get("keys", "").split()
    if request.POST.get("select_across") == "1":
        # One more than can be decided at once, so that the service says no instead of deciding a part.
        return list(queryset.values_list("key", flat=True)[: MOST_AT_ONCE + 1])
    return request.POST.getlist(ACTION_CHECKBOX_NAME)


@admin.register(Excuse)
class ExcuseAdmin(BreachPageMixin, NumberSearchAdmin):
    """Claims, proposals and decisions."""

    list_display = (
        "parcel", "claimed_at", "state_label", "reason", "source", "courier", "merchant", "kind",
        "decided_at",
    )  # fmt: skip
    list_filter = ("state", "reason", "source", "kind", "disruption", "courier")
    fields = (
        "parcel", "kind", "breach_page", "courier", "merchant", "state", "reason", "note", "file", "source",
        "claimed_by", "claimed_at", "disruption", "closure", "decision_note", "decided_by", "decided_at",
    )  # fmt: skip
    readonly_fields = ("parcel", "breach_page", "file")
    acts_across = True
    # In the order of claims; claimed_at over all couriers has no index.
    ordering = ("-pk",)  # type: ignore[assignment]
    actions = ("decide_on_chosen",)
    actions_list = ("decide",)
    actions_detail = ("decide_one",)

    @display(
        description=_("state"),
        ordering="state",
        label={
            "claimed": "info",
            "granted": "success",
            "declined": "danger",
            "revoked": "warning",
            # Neutral: without an entry the page would show the value instead of its label.
            "withdrawn": "default",
            "lapsed": "default",
        },
    )
    def state_label(self, excuse: Excuse) -> tuple[str, str]:
        return excuse.state, excuse.get_state_display()

    @admin.display(description=_("file"))
    def file(self, excuse: Excuse) -> str:
        if not excuse.evidence:
            return "–"
        url = reverse("slas:excuse_evidence", args=[excuse.pk])
        link = '<a class="text-primary-600" href="{}?number={}">{}</a>'
        return format_html(link, url, excuse.number, excuse.evidence_name)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Names are read apart: on a cluster they are on another node.
        return super().get_queryset(request).prefetch_related("courier", "merchant")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return _excuse(object_id, parcel_id=parcel_asked(request))

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_decide(actor_of(request))

    @admin.action(description=_("Decide selected"), permissions=["decide"])
    def decide_on_chosen(self, request: HttpRequest, queryset: QuerySet[Excuse]) -> HttpResponse:
        """Show the decision page with the selected excuses, or with all that match the list's filters."""
        # One more than can be decided at once, so that the service says no instead of deciding a part.
        rows = list(queryset.values_list("parcel_id", "pk", "state")[: MOST_AT_ONCE + 1])
        any_claimed = any(state == ExcuseState.CLAIMED for _parcel_id, _pk, state in rows)
        state = ExcuseState.CLAIMED if any_claimed else ExcuseState.GRANTED
        ids = ",".join(f"{parcel_id}-{pk}" for parcel_id, pk, _state in rows)
        selection = DecisionFilterForm({"state": state.value, "ids": ids})
        return self._decision_page(request, selection, _decision_form(selection))

    @action(description=_("Decide"), url_path="decide-one", icon="gavel", permissions=["decide"])
    def decide_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Redirect to the decision page with this excuse only."""
        if (excuse := _excuse(object_id)) is None:
            raise NotFound
        query = {"ids": excuse.key, "state": excuse.state}
        return redirect(f"{reverse('admin:slas_excuse_decide')}?{urlencode(query)}")

    @action(description=_("Decide by filter"), url_path="decide", icon="gavel", permissions=["decide"])
    def decide(self, request: HttpRequest) -> HttpResponse:
        """Show the excuses that match a filter; decide on all of them at once."""
        actor = actor_of(request)
        require_decider(actor)
        data = request.POST if request.method == "POST" else None
        selection = DecisionFilterForm(_filters(request))
        form = _decision_form(selection, data)
        if data is not None and selection.is_valid() and form.is_valid():
            excuses = selection.excuses().filter(pk__lte=form.cleaned_data["newest"])
            if self._decide_on(request, actor, excuses, form):
                # Of those chosen on the list nothing is left; the page would go on with all that wait.
                is_chosen = bool(selection.cleaned_data["ids"])
                return redirect("admin:slas_excuse_changelist" if is_chosen else request.get_full_path())
        return self._decision_page(request, selection, form)

    def _decide_on(
        self, request: HttpRequest, actor: Actor, excuses: ExcuseQuerySet, form: BulkDecisionForm
    ) -> bool:
        try:
            result = decide_excuses(
                actor=actor,
                keys=list(excuses.values_list("parcel_id", "pk")[: MOST_AT_ONCE + 1]),
                decision=form.cleaned_data["decision"],
                note=form.cleaned_data["note"],
            )
        except InvalidInput as error:
            for item in error.errors:
                form.add_error(item.field if item.field in form.fields else None, str(item.message))
            return False
        except NotPermitted as error:
            form.add_error(None, error.detail)
            return False
        for level, text in decided_texts(result):
            messages.add_message(request, level, text)
        return True

    def _decision_page(
        self,
        request: HttpRequest,
        chosen: DecisionFilterForm,
        form: BulkDecisionForm,
    ) -> HttpResponse:
        excuses = chosen.excuses() if chosen.is_valid() else Excuse.objects.none()
        reasons = dict(Excuse._meta.get_field("reason").flatchoices)
        sources = dict(Excuse._meta.get_field("source").flatchoices)
        rows = excuses.prefetch_related("courier", "merchant", "disruption", "closure")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Decide on exemptions"),
            "filter": chosen,
            "form": form,
            "count": excuses.count(),
            "summaries": [
                (
                    gettext("By reason"),
                    [(reasons[value], count) for value, count in excuses.counts("reason")],
                ),
                (gettext("By courier"), _by_courier(excuses)),
                (
                    gettext("Requested by"),
                    [(sources[value], count) for value, count in excuses.counts("source")],
                ),
            ],
            "rows": list(rows.order_by("claimed_at", "pk")[:ROWS_SHOWN]),
            "here": reverse("admin:slas_excuse_decide"),
            "back": reverse("admin:slas_excuse_changelist"),
        }
        status = 422 if chosen.errors or form.errors else 200
        return render(request, "admin/slas/decide_excuses.html", context, status=status)


def _excuse(object_id: str, *, parcel_id: int | None = None) -> Excuse | None:
    """Return an excuse by the id in an address, and its parcel if that is there."""
    if not (object_id.isascii() and object_id.isdecimal() and int(object_id) <= LARGEST_ID):
        return None
    excuses = Excuse.objects.filter(pk=object_id).prefetch_related("courier", "merchant")
    return only_row(excuses) if parcel_id is None else excuses.filter(parcel_id=parcel_id).first()


def _by_courier(excuses: ExcuseQuerySet) -> list[tuple[str, int]]:
    counts = excuses.counts("courier_id")
    couriers = Courier.objects.in_bulk([courier_id for courier_id, _count in counts])
    return [(couriers[courier_id].legal_name, count) for courier_id, count in counts]


def _filters(request: HttpRequest) -> dict[str, str]:
    """The filters in the URL, and the selection from the list, which is too long for a URL."""
    filters = {name: str(value) for name, value in request.GET.items()}
    return filters | {
        name: request.POST[f"chosen_{name}"] for name in CHOSEN if f"chosen_{name}" in request.POST
    }


def _decision_form(selection: DecisionFilterForm, data: QueryDict | None = None) -> BulkDecisionForm:
    valid = selection.is_valid()
    excuses = selection.excuses() if valid else Excuse.objects.none()
    newest = excuses.order_by("-pk").values_list("pk", flat=True).first() or 0
    state = selection.selected_state if valid else ExcuseState.CLAIMED
    return BulkDecisionForm(data, state=state, initial={"newest": newest})


class DisruptionList(ChangeList):
    """Counts the exemptions of a page's events, all at once: each count asks all shards of a cluster."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        events: list[Any] = list(self.result_list)
        self.result_list = events
        counts = unless_away(partial(_exemptions_of, events), otherwise=None)
        for event in events:
            event.exemptions = None if counts is None else counts.get(event.pk, 0)


def _exemptions_of(events: list[Any]) -> dict[int, int]:
    return dict(Excuse.objects.filter(disruption__in=events).counts("disruption_id")) if events else {}


@admin.register(Disruption)
class DisruptionAdmin(ProposingMixin, EnteredAdmin):
    """Force majeure: declared by ops, withdrawn while it has proposed nothing."""

    list_display = (
        "name", "reason", "place", "proposed", "starts_at", "ends_at", "declared_at", "recovery_hours",
    )  # fmt: skip
    list_filter = ("reason", "country")
    list_select_related = ("city",)
    search_fields = ("name", "province", "city__name_en", "city__name_zh")
    fields = (
        "name", "reason", "place", "starts_at", "ends_at", "recovery_hours", "declared_at", "declared_by",
        "proposed",
    )  # fmt: skip
    readonly_fields = ("place", "proposed")
    ordering = ("-starts_at",)
    entry_form = DisruptionForm
    entry_text = _(
        "Declaring an event exempts nothing yet. Its page then shows the affected breaches and "
        "proposes an exemption for each: promises made before it was declared that fell due while it "
        "lasted."
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DisruptionList

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is None:
            # One by one: events that proposed excuses stay.
            return False
        # This is looked at before it is deleted.
        over_one_connection()
        # While a worker of a cluster is away, nobody knows: its deletion is refused then, for that reason.
        return operates(request) and not unless_away(obj.excuses.exists, otherwise=False)  # type: ignore[attr-defined]

    def enter(self, request: HttpRequest, form: DisruptionForm) -> str:
        data = form.cleaned_data
        disruption = declare_disruption(
            actor=actor_of(request),
            name=data["name"],
            reason=data["reason"],
            area=Area(data["country"], data["province"], data["city"]),
            period=Period(data["starts_at"], data["ends_at"], data["recovery_hours"]),
        )
        return gettext("%(event)s was declared. Open it to propose exemptions.") % {"event": disruption}

    def withdraw(self, request: HttpRequest, obj: Disruption) -> None:
        withdraw_disruption(actor=actor_of(request), disruption_id=obj.pk)

    @admin.display(description=_("place"))
    def place(self, disruption: Disruption) -> str:
        province = province_text(disruption.country, disruption.province)
        return str(disruption.city or province or disruption.country)

    @admin.display(description=_("exemptions"))
    def proposed(self, disruption: Disruption) -> str:
        url = f"{reverse('admin:slas_excuse_changelist')}?disruption__id__exact={disruption.pk}"
        if hasattr(disruption, "exemptions"):
            count = disruption.exemptions
        else:
            count = unless_away(disruption.excuses.count, otherwise=None)
        return format_html(
            '<a class="text-primary-600" href="{}">{}</a>', url, "–" if count is None else count
        )
