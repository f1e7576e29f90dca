"""Proposed changes of couriers' data: ops approve or decline them."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from alliance.admin import OrganisationSearchMixin, ReadOnlyAdmin, ReasonForm, answer_form
from alliance.errors import NotFound
from alliance.web.requests import actor_of
from alliance.wording import named
from couriers.changes.queries import compared
from couriers.changes.services import decide_change
from couriers.choices import ChangeState
from couriers.models import ChangeRequest


@admin.register(ChangeRequest)
class ChangeRequestAdmin(OrganisationSearchMixin, ReadOnlyAdmin):
    """Proposals, those that wait first."""

    list_display = ("organisation", "state", "requested_at", "requested_by", "decided_at")
    list_filter = ("state",)
    list_select_related = ("organisation", "requested_by")
    fields = (
        "organisation",
        "state",
        "difference",
        "note",
        "requested_by",
        "requested_at",
        "reason",
        "decided_at",
    )
    readonly_fields = ("difference",)
    ordering = ("decided_at", "requested_at")
    actions_detail = ("approve", "decline")

    @admin.display(description=gettext_lazy("Changes"))
    def difference(self, request: ChangeRequest) -> str:
        return render_to_string("couriers/admin/changes.html", {"rows": compared(request)})

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        waiting: QuerySet[ChangeRequest] = ChangeRequest.objects.filter(
            pk=object_id, state=ChangeState.WAITING
        )
        return super().get_actions_detail(request, object_id) if waiting.exists() else []

    @action(
        description=gettext_lazy("Approve"), url_path="approve", icon="check_circle",
        variant=ActionVariant.SUCCESS, permissions=["operate"],
    )  # fmt: skip
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("The data changes at once. You can add a message; the owners get a mail.")
        return self._decide(request, object_id, approve=True, button=_("Approve"), text=text)

    @action(
        description=gettext_lazy("Decline"), url_path="decline", icon="cancel",
        variant=ActionVariant.DANGER, permissions=["operate"],
    )  # fmt: skip
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("The data stays as it is. The owners get a mail with the reason.")
        return self._decide(request, object_id, approve=False, button=_("Decline"), text=text)

    def _decide(
        self, request: HttpRequest, object_id: str, *, approve: bool, button: str, text: str
    ) -> HttpResponse:
        change = self.get_object(request, object_id)
        if change is None:
            raise NotFound
        form = ReasonForm(request.POST if request.method == "POST" else None)
        return answer_form(
            self,
            request,
            form=form,
            carry_out=lambda data: decide_change(
                actor=actor_of(request), change_id=change.pk, approve=approve, **data
            ),
            title=named(button, change.organisation),
            text=text,
            button=button,
            back=reverse("admin:couriers_changerequest_change", args=[change.pk]),
        )
