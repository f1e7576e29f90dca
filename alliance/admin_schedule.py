"""The admin of beat's schedule, and of what else other packages bring."""

from typing import Any

from celery.schedules import ParseException
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat import admin as beat_admin
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from unfold.admin import ModelAdmin

from alliance.admin import ListedFiltersMixin, operates
from alliance.admin_history import AuditedMixin, HistoryMixin
from alliance.wording import code_text


class ScheduleMixin(AuditedMixin, ListedFiltersMixin, HistoryMixin):
    """The schedule is the code's: ops look at it, superusers change it, and nobody adds or deletes jobs."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return operates(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return operates(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Those of the package ask for no permission: they pause jobs, and run them at once.
        return super().get_actions(request) if request.user.is_superuser else {}  # type: ignore[misc]


class PeriodicTaskAdmin(ScheduleMixin, beat_admin.PeriodicTaskAdmin, ModelAdmin):
    """The schedule of beat."""

    list_display = ("name_text", *beat_admin.PeriodicTaskAdmin.list_display[1:])

    @admin.display(description=_("name"), ordering="name")
    def name_text(self, task: PeriodicTask) -> str:
        return code_text(task.name)

    @admin.display(description=_("timing"))
    def scheduler(self, task: PeriodicTask) -> str:
        return str(task.scheduler)


class IntervalScheduleAdmin(ScheduleMixin, ModelAdmin):
    pass


class CrontabScheduleAdmin(ScheduleMixin, beat_admin.CrontabScheduleAdmin, ModelAdmin):
    @admin.display(description=_("timing"))
    def human_readable(self, schedule: CrontabSchedule) -> str:
        """The schedule in words; as it was typed, on the page that refuses it."""
        try:
            return str(schedule.human_readable)
        except (ParseException, ValueError, KeyError):
            return str(schedule)


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
