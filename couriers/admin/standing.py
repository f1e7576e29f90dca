"""The admin of couriers: their status and grade."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from alliance.admin import ReadOnlyAdmin
from couriers.models import Courier


@admin.register(Courier)
class CourierAdmin(ReadOnlyAdmin):
    """The couriers of the alliance."""

    list_display = ("legal_name", "status", "grade", "permit_number", "contact", "joined_at")
    list_filter = ("organisation__status", "grade")
    list_select_related = ("organisation__contact",)
    search_fields = ("legal_name", "credit_code", "permit_number", "organisation__contact__email")
    ordering = ("legal_name",)

    @display(
        description=gettext_lazy("Status"),
        label={"active": "success", "suspended": "danger", "applicant": "info"},
    )
    def status(self, courier: Courier) -> tuple[str, str]:
        return courier.organisation.status, courier.organisation.get_status_display()

    @display(description=gettext_lazy("Contact"))
    def contact(self, courier: Courier) -> str:
        contact = getattr(courier.organisation, "contact", None)
        return contact.email if contact else ""
