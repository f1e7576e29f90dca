"""The admin of scorecards and of their rules, which are tried on last month before they are added."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.admin import ReadOnlyAdmin, operates
from alliance.errors import InvalidInput
from alliance.web.requests import actor_of
from alliance.wording import listed, named
from slas.admin.scorecard_forms import RulesForm
from slas.choices import ScorecardState
from slas.models import Scorecard, ScoreRules
from slas.scorecards.rules import lines
from slas.scorecards.services.versions import (
    RulesDraft,
    WhatIf,
    add_rules,
    first_month_open,
    try_rules,
    withdraw_rules,
)


class MonthFilter(admin.SimpleListFilter):
    title = gettext_lazy("month")
    parameter_name = "month"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        months = Scorecard.objects.order_by("-month").values_list("month", flat=True).distinct()
        return [(f"{month:%Y-%m}", formats.date_format(month, "YEAR_MONTH_FORMAT")) for month in months[:36]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        choices = dict(self.lookup_choices)
        return queryset.filter(month=f"{self.value()}-01") if self.value() in choices else queryset


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(ScorecardState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ScorecardState.values:
            return queryset
        return queryset.filter(frozen_at__isnull=self.value() == ScorecardState.PROVISIONAL)


@admin.register(Scorecard)
class ScorecardAdmin(ReadOnlyAdmin):
    """Every courier's months, read-only."""

    list_before_template = "admin/slas/scorecards_before.html"
    list_display = ("month_name", "courier", "score", "grade_name", "place", "n", "state", "version")
    list_filter = (MonthFilter, "grade", StateFilter)
    list_select_related = ("courier", "rules")
    search_fields = ("courier__legal_name",)
    ordering = ("-month", "rank", "courier")
    fields = ("month_name", "courier", "score", "grade_name", "place", "n", "state", "version", "computed_at",
              "frozen_at", "component_list")  # fmt: skip
    readonly_fields = fields

    @admin.display(description=gettext_lazy("month"), ordering="month")
    def month_name(self, card: Scorecard) -> str:
        return f"{card.month:%Y-%m}"

    @admin.display(description=gettext_lazy("grade"), ordering="grade")
    def grade_name(self, card: Scorecard) -> str:
        return card.get_grade_display() if card.grade else _("too few deliveries")

    @admin.display(description=gettext_lazy("rank"), ordering="rank")
    def place(self, card: Scorecard) -> str:
        return _("%(rank)d of %(ranked)d") % {"rank": card.rank, "ranked": card.ranked} if card.rank else "–"

    @admin.display(description=gettext_lazy("state"), ordering="frozen_at")
    def state(self, card: Scorecard) -> str:
        return str(card.state.label)

    @admin.display(description=gettext_lazy("components"))
    def component_list(self, card: Scorecard) -> SafeString:
        return _html_lines(
            f"{line.component.label}: {line.value:.2%}, n = {line.n:,}, {line.points}"
            if line.value is not None
            else f"{line.component.label}: –"
            for line in lines(card.measured, card.rules.rules)
        )

    @admin.display(description=gettext_lazy("rules"))
    def version(self, card: Scorecard) -> str:
        return str(card.rules)


@admin.register(ScoreRules)
class ScoreRulesAdmin(ReadOnlyAdmin):
    """Versions of the rules. A new one is tried on last month first."""

    list_display = (
        "number",
        "valid_from",
        "weight_list",
        "grade_list",
        "minimum_volume",
        "why",
        "created_by",
    )
    list_select_related = ("created_by",)
    ordering = ("-number",)
    fields = (
        "number", "month_name", "weight_list", "band_list", "grade_list", "minimum_volume", "why",
        "created_by", "created_at",
    )  # fmt: skip
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return operates(request)

    @admin.display(description=gettext_lazy("note"))
    def why(self, rules: ScoreRules) -> str:
        return _(rules.note) if rules.note else ""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is None:
            # A bulk action would hide which of them months were scored by.
            return False
        return operates(request) and obj.valid_from >= first_month_open(timezone.now())  # type: ignore[attr-defined]

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        withdraw_rules(actor=actor_of(request), rules_id=obj.pk, now=timezone.now())

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show how rules would change last month, and add them from a later month on."""
        self.require_operator(request)
        now = timezone.now()
        newest = ScoreRules.objects.order_by("-number")[0]
        if request.method != "POST":
            # First the newest rules are tried unchanged.
            form = RulesForm(newest=newest, now=now)
            return self._page(request, form, _try_unchanged(request, newest))
        form = RulesForm(request.POST, newest=newest, now=now)
        what_if = _try(request, form)
        if what_if is None or "apply" not in request.POST:
            return self._page(request, form, what_if, may_apply=what_if is not None)
        if form.cleaned_data["seen"] != form.fingerprint:
            form.add_error(
                None, _("The rules have changed since they were tried. Check the result, then apply.")
            )
            return self._page(request, form, what_if, may_apply=True)
        return self._apply(request, form, what_if)

    def _apply(self, request: HttpRequest, form: RulesForm, what_if: WhatIf) -> HttpResponse:
        try:
            version = add_rules(
                actor=actor_of(request),
                draft=form.draft,
                valid_from=form.cleaned_data["valid_from"],
                note=form.cleaned_data["note"],
                now=timezone.now(),
            )
        except InvalidInput as error:
            form.show(error)
            return self._page(request, form, what_if)
        month = formats.date_format(version.valid_from, "YEAR_MONTH_FORMAT")
        message = _("Version %(number)d applies from %(month)s.") % {
            "number": version.number,
            "month": month,
        }
        messages.success(request, message)
        return redirect("admin:slas_scorerules_changelist")

    def _page(
        self, request: HttpRequest, form: RulesForm, what_if: WhatIf | None, *, may_apply: bool = False
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Try other rules"),
            "form": form,
            "tried": what_if,
            "may_apply": may_apply,
            "seen": form.fingerprint if may_apply else "",
            "back": reverse("admin:slas_scorerules_changelist"),
        }
        status = 422 if form.errors or form.weights_errors else 200
        return render(request, "admin/slas/score_rules.html", context, status=status)

    @admin.display(description=gettext_lazy("from month"), ordering="valid_from")
    def month_name(self, version: ScoreRules) -> str:
        return f"{version.valid_from:%Y-%m}"

    @admin.display(description=gettext_lazy("weights"))
    def weight_list(self, version: ScoreRules) -> str:
        return listed(f"{name.label} {weight} %" for name, weight in version.rules.weights.items())

    @admin.display(description=gettext_lazy("points by band"))
    def band_list(self, version: ScoreRules) -> SafeString:
        return _html_lines(
            named(
                name.label,
                listed(f"{'≤' if name.lower_is_better else '≥'} {at:.1%} {points}" for at, points in bands),
            )
            for name, bands in version.rules.bands.items()
        )

    @admin.display(description=gettext_lazy("minimum score by grade"))
    def grade_list(self, version: ScoreRules) -> str:
        return listed(f"{grade.label} {least}" for grade, least in version.rules.grades.items())


def _html_lines(texts: Iterable[str]) -> SafeString:
    return format_html_join(mark_safe("<br>"), "{}", ((text,) for text in texts))


def _try_unchanged(request: HttpRequest, newest: ScoreRules) -> WhatIf:
    return try_rules(actor=actor_of(request), draft=RulesDraft.of(newest), now=timezone.now())


def _try(request: HttpRequest, form: RulesForm) -> WhatIf | None:
    """How the rules in the form would change last month; None if the form has errors."""
    if not form.is_valid():
        return None
    try:
        return try_rules(actor=actor_of(request), draft=form.draft, now=timezone.now())
    except InvalidInput as error:
        form.show(error)
        return None
