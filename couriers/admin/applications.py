"""The queue of applications, and decisions on them."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from alliance.admin import ReadOnlyAdmin
from alliance.choices import OrganisationKind
from alliance.errors import AllianceError, InvalidInput, NotFound
from alliance.long_lists import organisations_for_search
from alliance.web.requests import actor_of
from alliance.wording import named
from couriers.applications.querysets import QUEUE_ORDER
from couriers.applications.rules import REASON_LENGTH, may_become
from couriers.applications.services import reviews
from couriers.choices import ApplicationState
from couriers.models import Application

Decide = Callable[..., object]


class WaitingFilter(admin.SimpleListFilter):
    """Filters applications by how long they have been waiting for ops."""

    title = gettext_lazy("waiting for")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("1", gettext_lazy("more than a day")),
            ("3", gettext_lazy("more than three days")),
            ("7", gettext_lazy("more than a week")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("1", "3", "7"):
            return queryset
        since = timezone.now() - timedelta(days=int(str(self.value())))
        return queryset.filter(state=ApplicationState.SUBMITTED, submitted_at__lt=since)


class DecisionForm(forms.Form):
    """The reason of a decision, which is shown to the applicant."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("The applicant reads this on the portal and in an e-mail."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5, "maxlength": REASON_LENGTH}),
        required=False,
    )
    # The time of the submission that the page showed: a newer one must not be decided on unseen.
    seen = forms.CharField(widget=forms.HiddenInput, required=False)


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    """The queue of applications: waiting ones first, the longest waiting on top."""

    list_display = (
        "company",
        "state_label",
        "submitted_at",
        "waiting",
        "permit_number",
        "contact_email",
        "papers",
    )
    list_display_links = ("company",)
    list_filter = ("state", WaitingFilter)
    list_select_related = ("organisation",)
    search_fields = ("legal_name", "credit_code", "permit_number", "contact_email")
    fieldsets = (
        (
            gettext_lazy("Application"),
            {"fields": ("state", "organisation", "submitted_at", "decided_at", "remarks", "history")},
        ),
        (gettext_lazy("Documents"), {"fields": ("documents_list",)}),
        (
            pgettext_lazy("section", "Company"),
            {
                "fields": (
                    "legal_name",
                    "credit_code",
                    "permit_number",
                    "founded_on",
                    "fleet_size",
                    "daily_capacity",
                    "cities_list",
                )
            },
        ),
        (
            gettext_lazy("Contact"),
            {"fields": ("contact_name", "contact_phone", "contact_email", "created_by", "language")},
        ),
    )
    readonly_fields = ("remarks", "history", "documents_list", "cities_list")
    actions_detail = ("ask_for_more", "approve", "reject")
    # The page shows its own history.
    actions_detail_hide_default = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        return super().get_queryset(request).with_counts()

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        return QUEUE_ORDER

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        named = organisations_for_search(request, search_term, kind=OrganisationKind.COURIER)
        return (found | queryset.filter(organisation_id__in=named) if named else found), may_repeat

    @display(description=gettext_lazy("Company"), ordering="legal_name")
    def company(self, application: Application) -> str:
        return application.legal_name or application.organisation.name

    @display(
        description=gettext_lazy("State"),
        ordering="state",
        # All states: a missing one would be shown as its code.
        label={
            "draft": "default",
            "submitted": "info",
            "more_needed": "warning",
            "approved": "success",
            "rejected": "danger",
        },
    )
    def state_label(self, application: Application) -> tuple[str, str]:
        return application.state, application.get_state_display()

    @display(description=gettext_lazy("Waiting"))
    def waiting(self, application: Application) -> str:
        if application.state != ApplicationState.SUBMITTED or application.submitted_at is None:
            return ""
        return timesince(application.submitted_at, depth=1)

    @display(description=gettext_lazy("Documents"))
    def papers(self, application: Application) -> int:
        return application.document_count  # type: ignore[attr-defined]

    @display(description=gettext_lazy("Remarks"))
    def remarks(self, application: Application) -> str:
        context = {"remarks": reviews.remarks_on(application)}
        return render_to_string("couriers/admin/remarks.html", context)

    @display(description=gettext_lazy("History"))
    def history(self, application: Application) -> str:
        context = {"events": application.events.all(), "application": application}
        return render_to_string("couriers/admin/history.html", context)

    @display(description=gettext_lazy("Documents"))
    def documents_list(self, application: Application) -> str:
        documents = application.documents.all()
        return render_to_string("couriers/admin/documents.html", {"documents": documents})

    @display(description=gettext_lazy("Service cities"))
    def cities_list(self, application: Application) -> str:
        names = [city.name for city in application.cities.all()]
        return format_html("<strong>{}</strong> {}", len(names), ", ".join(names))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        application = Application.objects.filter(pk=object_id).first() if str(object_id).isdecimal() else None
        states = {
            "ask_for_more": ApplicationState.MORE_NEEDED,
            "approve": ApplicationState.APPROVED,
            "reject": ApplicationState.REJECTED,
        }
        return [
            action
            for action in super().get_actions_detail(request, object_id)
            if application and may_become(application.state, states[action.path.replace("-", "_")])
        ]

    @action(
        description=gettext_lazy("Request more information"),
        url_path="ask-for-more",
        icon="contact_support",
        variant=ActionVariant.WARNING,
        permissions=["operate"],
    )
    def ask_for_more(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("The application goes back to the applicant, who can change it and submit it again.")
        return self._decide(request, object_id, reviews.request_more, _("Request more information"), text)

    @action(
        description=gettext_lazy("Approve"),
        url_path="approve",
        icon="check_circle",
        variant=ActionVariant.SUCCESS,
        permissions=["operate"],
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("The company becomes an active courier at once. You can add a welcome message.")
        return self._decide(request, object_id, reviews.approve_application, _("Approve"), text)

    @action(
        description=gettext_lazy("Reject"),
        url_path="reject",
        icon="cancel",
        variant=ActionVariant.DANGER,
        permissions=["operate"],
    )
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("This is final: the company can only start a new application.")
        return self._decide(request, object_id, reviews.reject_application, _("Reject"), text)

    def _decide(
        self, request: HttpRequest, object_id: str, decide: Decide, title: str, text: str
    ) -> HttpResponse:
        application = Application.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if application is None:
            raise NotFound
        back = reverse("admin:couriers_application_change", args=[application.pk])
        submission = application.submitted_at.isoformat() if application.submitted_at else ""
        form = DecisionForm(request.POST if request.method == "POST" else None, initial={"seen": submission})
        if request.method == "POST" and form.is_valid():
            response = self._carry_out(request, application, decide, form, back)
            if response is not None:
                return response
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": named(title, application),
            "application": application,
            "form": form,
            "text": text,
            "button": title,
            "back": back,
        }
        return render(request, "couriers/admin/decide.html", context, status=422 if form.errors else 200)

    def _carry_out(
        self, request: HttpRequest, application: Application, decide: Decide, form: DecisionForm, back: str
    ) -> HttpResponse | None:
        try:
            decide(
                actor=actor_of(request),
                application_id=application.pk,
                reason=form.cleaned_data["reason"],
                reviewed_submission=_moment(form.cleaned_data["seen"]),
            )
        except InvalidInput as error:
            for problem in error.errors:
                form.add_error("reason", problem.message)
            return None
        except AllianceError as error:
            messages.error(request, error.detail)
            return redirect(back)
        application.refresh_from_db()
        text = _("%(name)s: %(state)s. The applicant gets an e-mail.")
        messages.success(request, text % {"name": application, "state": application.get_state_display()})
        return redirect(back)


def _moment(text: str) -> Any:
    try:
        return parse_datetime(text)
    except ValueError:
        return None
