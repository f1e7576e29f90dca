"""The admin of dry runs: which rules merchants try, and what came of it."""

from collections.abc import Iterable, Mapping

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alliance.admin import OrganisationSearchAdmin
from alliance.models import Organisation
from parcels.dry_runs.rules import Count, Side
from parcels.dry_runs.services import rules_of
from parcels.models import DryRun
from slas.allocation.texts import action_text, conditions_text


@admin.register(DryRun)
class DryRunAdmin(OrganisationSearchAdmin):
    """Merchants' dry runs, the newest first."""

    list_display = (
        "merchant", "first", "last", "state", "done", "requested_at", "finished_at", "problem",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("merchant__organisation",)
    organisation_field = "merchant_id"
    fields = (
        "merchant", "requested_by", "requested_at", "first", "last", "state", "done", "is_cut", "problem",
        "attempts", "due_at", "finished_at", "tried", "couriers", "others",
    )  # fmt: skip
    readonly_fields = ("tried", "couriers", "others")

    @admin.display(description=_("rules"))
    def tried(self, run: DryRun) -> SafeString | str:
        """The rules as they were when the run was requested, each with the parcels that it decided."""
        rules, count = rules_of(run), Count.from_json(run.result)
        names = _names({int(pk) for rule in rules for pk in rule.couriers})
        lines = [
            (
                rule.name,
                conditions_text(rule),
                action_text(rule, names),
                gettext("%(n)d parcels decided.") % {"n": count.decided[rule.pk]},
            )
            for rule in rules
        ]
        return format_html_join("", "<p><strong>{}</strong> {} {} {}</p>", lines) or "–"

    @admin.display(description=_("parcels by courier"))
    def couriers(self, run: DryRun) -> SafeString | str:
        """How many parcels each courier got, and how many it would have got."""
        count = Count.from_json(run.result)
        names = _names({*count.booked, *count.ruled})
        lines = [
            (name, _parcels(count.booked, pk), _parcels(count.ruled, pk))
            for pk, name in sorted(names.items(), key=lambda each: -_parcels(count.booked, each[0]))
        ]
        return format_html_join("", "<p>{}: {} → {}</p>", lines) or "–"

    @admin.display(description=_("other figures"))
    def others(self, run: DryRun) -> str:
        count = Count.from_json(run.result)
        text = gettext("%(moved)d with another courier, %(refused)d refused, %(gone)d no longer on sale.")
        return text % {"moved": count.moved, "refused": count.refused.total(), "gone": count.gone}


def _names(ids: Iterable[int]) -> dict[int, str]:
    return dict(Organisation.objects.filter(pk__in=list(ids)).values_list("pk", "name"))


def _parcels(sides: Mapping[int, Side], courier_id: int) -> int:
    side = sides.get(courier_id)
    return side.parcels if side else 0
