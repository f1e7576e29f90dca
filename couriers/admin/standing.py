"""The admin of couriers: their status and grade."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from alliance.admin import ReadOnlyAdmin, answer_form
from alliance.admin_compared import LockedMixin
from alliance.errors import NotFound
from alliance.members.services.contacts import contact_of
from alliance.models import City
from alliance.web.edit_forms import EditForm
from alliance.web.requests import actor_of
from alliance.wording import listed, named
from couriers.changes.rules import CONTACT, NAMES
from couriers.changes.services import correct_courier, reviewed_values
from couriers.models import Courier


class CorrectionForm(EditForm):
    """A courier's data but for its cities, and why it is corrected."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "legal_name", "credit_code", "permit_number", *CONTACT):
            self.fields[name] = forms.CharField(
                label=NAMES[name], required=False, widget=UnfoldAdminTextInputWidget()
            )
        self.order_fields([*(name for name in self.fields if name != "reason"), "reason"])


@admin.register(Courier)
class CourierAdmin(LockedMixin, ReadOnlyAdmin):
    """The couriers of the alliance."""

    list_display = ("legal_name", "status", "grade", "permit_number", "contact", "joined_at")
    list_filter = ("organisation__status", "grade")
    list_select_related = ("organisation__contact",)
    search_fields = ("legal_name", "credit_code", "permit_number", "organisation__contact__email")
    ordering = ("legal_name",)
    fields = (
        "organisation", "status", "legal_name", "credit_code", "permit_number", "person", "cities", "grade",
        "joined_at",
    )  # fmt: skip
    readonly_fields = ("status", "person", "cities")
    actions_detail = ("correct",)

    @action(
        description=gettext_lazy("Correct the data"), url_path="correct", icon="edit",
        permissions=["operate"],
    )  # fmt: skip
    @transaction.atomic
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Correct the data of a courier; the company proposes changes itself, too."""
        courier = self.get_object(request, object_id)
        if courier is None:
            raise NotFound
        current = {**reviewed_values(courier), **contact_of(courier.pk)}
        current.pop("cities", None)
        return answer_form(
            self,
            request,
            form=CorrectionForm(request.POST if request.method == "POST" else None, current=current),
            carry_out=lambda data: correct_courier(
                actor=actor_of(request), courier_id=courier.pk, reason=data.pop("reason"), values=data
            ),
            title=named(_("Correct the data"), courier),
            text=_("The data changes at once, and the audit keeps the reason."),
            button=_("Save"),
            back=reverse("admin:couriers_courier_change", args=[courier.pk]),
        )

    @display(
        description=gettext_lazy("Status"),
        label={"active": "success", "suspended": "danger", "applicant": "info"},
    )
    def status(self, courier: Courier) -> tuple[str, str]:
        return courier.organisation.status, courier.organisation.get_status_display()

    @admin.display(description=gettext_lazy("Contact"))
    def person(self, courier: Courier) -> str:
        return listed(filter(None, contact_of(courier.pk).values())) or "–"

    @admin.display(description=gettext_lazy("Service cities"))
    def cities(self, courier: Courier) -> str:
        ids = reviewed_values(courier).get("cities")
        # Those that joined before applications went online are limited by no city.
        return listed(map(str, City.objects.filter(pk__in=ids))) if ids is not None else "–"

    @display(description=gettext_lazy("Contact"))
    def contact(self, courier: Courier) -> str:
        contact = getattr(courier.organisation, "contact", None)
        return contact.email if contact else ""
