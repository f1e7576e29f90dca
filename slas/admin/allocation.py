"""The admin of allocation rules: what each merchant has told its bookings to choose by."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from alliance.admin import OrganisationSearchAdmin
from alliance.models import Organisation
from slas.allocation.texts import action_text, conditions_text
from slas.models import AllocationRule


@admin.register(AllocationRule)
class AllocationRuleAdmin(OrganisationSearchAdmin):
    """Merchants' rules, each merchant's in its order: for support, to see why a courier was chosen."""

    list_display = ("merchant", "position", "name", "is_active", "conditions", "action", "changed_at")
    list_select_related = ("merchant", "tier", "origin", "destination")
    # Along the index that bookings read.
    ordering = ("merchant", "position")
    organisation_field = "merchant_id"
    fields = (
        "merchant", "position", "name", "is_active", "conditions", "does", "stops", "changed_at",
    )  # fmt: skip
    readonly_fields = ("conditions", "does")

    @admin.display(description=_("conditions"))
    def conditions(self, rule: AllocationRule) -> str:
        return conditions_text(rule)

    @admin.display(description=_("action"))
    def does(self, rule: AllocationRule) -> str:
        couriers = Organisation.objects.filter(pk__in=list(map(int, rule.couriers)))
        return action_text(rule, dict(couriers.values_list("pk", "name")))
