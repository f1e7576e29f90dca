"""The admin of the kernel: users, organisations, API keys, audit entries and events.

Read-only except for users' flags: services make all other changes.
"""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_celery_beat import admin as beat_admin
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from alliance.choices import Capability, OrganisationStatus
from alliance.errors import AllianceError, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.long_lists import LongListMixin, organisation_ids_matching
from alliance.members.services import standing
from alliance.models import (
    ApiKey,
    AuditEntry,
    City,
    Event,
    Heartbeat,
    Member,
    Organisation,
    User,
)
from alliance.web.requests import actor_of
from alliance.wording import code_text


def operates(request: HttpRequest) -> bool:
    """Whether the user has full operator rights: superusers, and staff whose group has the permission."""
    actor = actor_of(request)
    return actor.can(Capability.OPERATE)


class ReadOnlyAdmin(ModelAdmin):
    """A read-only list and detail page for ops. Large tables are never counted."""

    show_full_result_count = False
    list_per_page = 50

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allow lookups of filters on models whose primary key is a foreign key.

        A courier's primary key is its organisation: Django's own filter by courier uses
        "courier__organisation__exact", which Django then refuses as a lookup that no filter lists.
        """
        is_listed = lookup.removesuffix("__organisation__exact") in self.get_list_filter(request)
        return is_listed or super().lookup_allowed(lookup, value, request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return operates(request) or super().has_view_permission(request, obj)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The permission of custom pages that change rules of the alliance."""
        return operates(request)

    def require_operator(self, request: HttpRequest) -> None:
        """Raise PermissionDenied without full operator rights. For pages that replace Django's."""
        if not operates(request):
            raise PermissionDenied

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class UncountedAdmin(LongListMixin, ReadOnlyAdmin):
    """For tables too large to count: pages have next and previous links only.

    Lists are ordered by an index, and searches use one.
    """


class OrganisationSearchAdmin(UncountedAdmin):
    """A long list that is searched by the organisation of its rows."""

    organisation_field = "organisation_id"
    # The field is not searched: it only makes the admin show the box.
    search_fields = ("pk",)
    search_help_text = _("An organisation's name or short name")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        organisation_ids = organisation_ids_matching(term)
        return queryset.filter(**{f"{self.organisation_field}__in": organisation_ids}), False


class FileJobMixin:
    """Files that workers read or write: ops can resume failed ones."""

    # A service of the app, called with the keyword arguments `actor` and `file_id`.
    resume: ClassVar[Callable[..., bool]]
    actions = ("go_on",)

    @admin.action(description=_("Resume failed files"), permissions=["operate"])
    def go_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        actor = actor_of(request)
        resumed = sum(self.resume(actor=actor, file_id=file.pk) for file in queryset)
        text = ngettext("%(n)d file was resumed.", "%(n)d files were resumed.", resumed)
        messages.info(request, text % {"n": resumed})


class MemberInline(TabularInline):
    model = Member
    extra = 0
    raw_id_fields = ("user",)
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(ModelAdmin):
    list_display = ("email", "name", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email", "name")
    fields = ("email", "name", "is_active", "is_staff", "groups", "is_superuser", "date_joined", "last_login")
    readonly_fields = ("email", "date_joined", "last_login")
    ordering = ("-date_joined",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        # Ops see all tenants' rows, so only superusers may make a user ops.
        extra = () if request.user.is_superuser else ("is_staff", "groups", "is_superuser")
        return (*self.readonly_fields, *extra)


class ReasonForm(forms.Form):
    """The reason of a suspension or its end."""

    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("The owners read it in a mail."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "maxlength": standing.REASON_LENGTH}),
        required=False,
    )


def answer_form(
    model_admin: ModelAdmin,
    request: HttpRequest,
    *,
    form: forms.Form,
    carry_out: Callable[[dict[str, Any]], object],
    title: str,
    text: str,
    button: str,
    back: str,
) -> HttpResponse:
    """Show a form that asks before an action, or carry it out and return to `back`."""
    if request.method == "POST" and form.is_valid():
        try:
            carry_out(form.cleaned_data)
        except AllianceError as error:
            for item in error.errors:
                form.add_error(item.field if item.field in form.fields else None, str(item.message))
            if not error.errors:
                form.add_error(None, error.detail)
        else:
            messages.success(request, gettext("Done. %(title)s") % {"title": title})
            return redirect(back)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "form": form,
        "text": text,
        "button": button,
        "back": back,
    }
    return render(request, "admin/alliance/reason.html", context, status=422 if form.errors else 200)


@admin.register(Organisation)
class OrganisationAdmin(ReadOnlyAdmin):
    """Organisations; they are suspended and reinstated here."""

    list_display = ("name", "kind", "status", "slug", "created_at")
    list_filter = ("kind", "status")
    search_fields = ("name", "slug")
    ordering = ("-created_at",)
    inlines = (MemberInline,)
    actions_detail = ("suspend", "reinstate")

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        organisation = self.get_object(request, str(object_id))
        paths: dict[str, str] = {
            OrganisationStatus.ACTIVE: "suspend",
            OrganisationStatus.SUSPENDED: "reinstate",
        }
        path = paths.get(organisation.status) if organisation else None
        return [item for item in super().get_actions_detail(request, object_id) if item.path == path]

    @action(
        description=_("Suspend"),
        url_path="suspend",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["operate"],
    )
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = gettext(
            "No new bookings by or with this organisation; its pages and API keys are closed. Parcels under "
            "way go on: a courier may still send scans. The owners get a mail with the reason."
        )
        return self._ask(request, object_id, standing.suspend_organisation, gettext("Suspend"), text)

    @action(
        description=_("Reinstate"),
        url_path="reinstate",
        icon="restart_alt",
        variant=ActionVariant.SUCCESS,
        permissions=["operate"],
    )
    def reinstate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = gettext("The organisation works as before at once. The owners get a mail with the reason.")
        return self._ask(request, object_id, standing.reinstate_organisation, gettext("Reinstate"), text)

    def _ask(
        self,
        request: HttpRequest,
        object_id: str,
        change: Callable[..., Organisation],
        button: str,
        text: str,
    ) -> HttpResponse:
        organisation = self.get_object(request, object_id)
        if organisation is None:
            raise NotFound
        return answer_form(
            self,
            request,
            form=ReasonForm(request.POST if request.method == "POST" else None),
            carry_out=lambda data: change(actor=actor_of(request), organisation_id=organisation.pk, **data),
            title=f"{button}: {organisation}",
            text=text,
            button=button,
            back=reverse("admin:alliance_organisation_change", args=[organisation.pk]),
        )


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "organisation", "prefix", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("organisation",)
    search_fields = ("prefix", "organisation__name")
    exclude = ("secret_hash", "scopes")
    readonly_fields = ("permissions",)

    @admin.display(description=_("Permissions"))
    def permissions(self, key: ApiKey) -> str:
        return key.permissions


@admin.register(City)
class CityAdmin(ReadOnlyAdmin):
    list_display = ("code", "name_en", "name_zh", "province_en", "country", "time_zone")
    list_filter = ("country",)
    search_fields = ("code", "name_en", "name_zh")


@admin.register(AuditEntry)
class AuditEntryAdmin(OrganisationSearchAdmin):
    list_display = ("at", "actor_label", "verb_text", "object_text", "object_id", "organisation_id")
    exclude = ("verb", "object_type")
    readonly_fields = ("verb_text", "object_text")
    search_help_text = _("A tracking number, an object with its id such as closure 12, or an organisation")
    # Ordered by id: the time of an entry has no index.
    ordering = ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            kind, number = "parcel", str(parse_tracking_number(search_term))
        except InvalidTrackingNumber:
            kind, _space, number = search_term.strip().partition(" ")
        entries = queryset.filter(object_type=kind, object_id=number)
        # Two words may also be an organisation's name.
        if number and entries.exists():
            return entries, False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("verb"))
    def verb_text(self, entry: AuditEntry) -> str:
        return code_text(entry.verb)

    @admin.display(description=_("object"))
    def object_text(self, entry: AuditEntry) -> str:
        return code_text(entry.object_type)


@admin.register(Event)
class EventAdmin(UncountedAdmin):
    list_display = ("id", "topic_text", "at", "parcel_id", "merchant_id", "courier_id")
    exclude = ("topic",)
    readonly_fields = ("topic_text",)
    ordering = ("-id",)

    @admin.display(description=_("topic"))
    def topic_text(self, event: Event) -> str:
        return code_text(event.topic)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name_text", "at", "detail")

    @admin.display(description=_("name"), ordering="name")
    def name_text(self, heartbeat: Heartbeat) -> str:
        return code_text(heartbeat.name)


class PeriodicTaskAdmin(beat_admin.PeriodicTaskAdmin, ModelAdmin):
    """The schedule of beat; ops may disable a task or change its times."""

    list_display = ("name_text", *beat_admin.PeriodicTaskAdmin.list_display[1:])

    @admin.display(description=_("name"), ordering="name")
    def name_text(self, task: PeriodicTask) -> str:
        return code_text(task.name)

    @admin.display(description=_("timing"))
    def scheduler(self, task: PeriodicTask) -> str:
        return str(task.scheduler)


class IntervalScheduleAdmin(ModelAdmin):
    pass


class CrontabScheduleAdmin(beat_admin.CrontabScheduleAdmin, ModelAdmin):
    pass


def adopt_other_apps(site: admin.AdminSite) -> None:
    """Register other packages' admin pages again in our theme, and unregister those without use here.

    Called after every app has registered its own.
    """
    themed: dict[type[Model], Any] = {
        PeriodicTask: PeriodicTaskAdmin,
        IntervalSchedule: IntervalScheduleAdmin,
        CrontabSchedule: CrontabScheduleAdmin,
    }
    for model in list(site._registry):  # noqa: SLF001 -- the registry has no public listing
        if model._meta.app_label in {"auth", "account", "sites", "usersessions", "django_celery_beat"}:
            site.unregister(model)
    for model, model_admin in themed.items():
        site.register(model, model_admin)
