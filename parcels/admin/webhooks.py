"""Webhooks, for ops: whether messages arrive, and stopping one that does harm."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.enums import ActionVariant

from alliance.admin import OrganisationSearchAdmin, ReasonForm, answer_form
from alliance.errors import NotFound
from alliance.templatetags.ui import count
from alliance.web.requests import actor_of
from alliance.wording import named
from parcels.models import WebhookEndpoint
from parcels.webhooks import queries
from parcels.webhooks.services.endpoints import stop_endpoint


class FailingFilter(admin.SimpleListFilter):
    """Those at which nothing arrives."""

    title = _("nothing arrives")
    parameter_name = "failing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", gettext("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(failing_since__isnull=False) if self.value() == "1" else queryset


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(OrganisationSearchAdmin):
    list_display = ("code", "organisation", "host", "state", "arrived", "failing_since")
    list_select_related = ("organisation",)
    list_filter = (FailingFilter,)
    fields = (
        "code", "organisation", "url", "description", "reference_prefix", "topics_text", "state", "cause",
        "stopped_at", "arrived", "answered_within", "oldest_waiting", "failing_since", "held_until",
        "next_due_at", "created_by", "created_at", "listens_from",
    )  # fmt: skip
    readonly_fields = ("code", "topics_text", "arrived", "answered_within", "oldest_waiting")
    actions_detail = ("messages", "stop")

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        endpoint = self.get_object(request, str(object_id))
        is_stopped = endpoint is not None and endpoint.is_stopped_by_ops
        offered: list[Any] = super().get_actions_detail(request, object_id)
        return [item for item in offered if not (is_stopped and item.path == "stop")]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page: Any = super().get_changelist_instance(request)
        counts = queries.counts_of([row.pk for row in page.result_list], timezone.now())
        for row in page.result_list:
            row.last_day = counts.get(row.pk, (0, 0))
        return page

    @admin.display(description=_("address"))
    def host(self, endpoint: WebhookEndpoint) -> str:
        """Without what comes after the name: it may be long, and secret."""
        return endpoint.host

    @admin.display(description=_("events"))
    def topics_text(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.topics)

    @admin.display(description=_("arrived in 24 hours"))
    def arrived(self, endpoint: WebhookEndpoint) -> str:
        attempts, delivered = getattr(endpoint, "last_day", None) or self._counts(endpoint)
        text = gettext("%(arrived)s of %(attempts)s attempts")
        return text % {"arrived": count(delivered), "attempts": count(attempts)}

    @admin.display(description=_("answered within"))
    def answered_within(self, endpoint: WebhookEndpoint) -> str:
        figures = queries.figures_of(endpoint, timezone.now())
        if figures.p50_ms is None:
            return "–"
        text = gettext("%(p50)s ms, 95 %% within %(p95)s ms")
        return text % {"p50": count(figures.p50_ms), "p95": count(figures.p95_ms)}

    @admin.display(description=_("oldest that waits"))
    def oldest_waiting(self, endpoint: WebhookEndpoint) -> str:
        at = queries.figures_of(endpoint, timezone.now()).oldest_waiting_at
        return date_format(timezone.localtime(at), "DATETIME_FORMAT") if at else "–"

    @action(description=_("Messages"), url_path="messages", icon="mail", permissions=["operate"])
    def messages(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what it was sent, as its owner sees it; there it is resumed, too."""
        return redirect("parcels:webhook_detail", self._endpoint(request, object_id).code)

    @action(
        description=_("Stop"),
        url_path="stop",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["operate"],
    )
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Switch it off, so that its owner cannot resume it."""
        endpoint = self._endpoint(request, object_id)
        return answer_form(
            self,
            request,
            form=ReasonForm(request.POST if request.method == "POST" else None),
            carry_out=lambda data: stop_endpoint(actor=actor_of(request), code=endpoint.code, **data),
            title=named(gettext("Stop"), endpoint),
            text=gettext(
                "Nothing is sent to it any more, and its owner cannot resume it. You can, above its messages."
            ),
            button=gettext("Stop"),
            back=self._address(endpoint),
        )

    def _counts(self, endpoint: WebhookEndpoint) -> tuple[int, int]:
        return queries.counts_of([endpoint.pk], timezone.now()).get(endpoint.pk, (0, 0))

    def _endpoint(self, request: HttpRequest, object_id: str) -> WebhookEndpoint:
        endpoint: WebhookEndpoint | None = self.get_object(request, object_id)
        if endpoint is None:
            raise NotFound
        return endpoint

    def _address(self, endpoint: WebhookEndpoint) -> str:
        return reverse("admin:parcels_webhookendpoint_change", args=[endpoint.pk])
