"""The admin of beat's schedule, and of what else other packages bring."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

from alliance import audit
from alliance.admin import ReadOnlyAdmin
from alliance.jobs import send
from alliance.web.requests import actor_of
from alliance.wording import code_text


class PeriodicTaskAdmin(ReadOnlyAdmin):
    """The schedule is the code's, which writes it anew at each start: superusers pause jobs and run them."""

    list_display = ("name_text", "enabled", "timing", "last_run_at")
    list_filter = ("enabled",)
    search_fields = ("name", "task")
    fields = ("name_text", "enabled", "timing", "last_run_at", "total_run_count", "task")
    readonly_fields = ("name_text", "timing")
    list_select_related = ("interval", "crontab")
    ordering = ("name",)
    actions = ("pause", "resume", "run_now")

    def has_superuser_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @admin.action(description=_("Pause selected jobs"), permissions=["superuser"])
    def pause(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        count = self._switch(
            request, queryset.filter(enabled=True), verb="periodic_task.paused", enabled=False
        )
        text = ngettext("%(n)d job was paused.", "%(n)d jobs were paused.", count)
        messages.success(request, text % {"n": count})

    @admin.action(description=_("Resume selected jobs"), permissions=["superuser"])
    def resume(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        count = self._switch(
            request, queryset.filter(enabled=False), verb="periodic_task.resumed", enabled=True
        )
        text = ngettext("%(n)d job was resumed.", "%(n)d jobs were resumed.", count)
        messages.success(request, text % {"n": count})

    @admin.action(description=_("Run selected jobs now"), permissions=["superuser"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        jobs = list(queryset)
        for job in jobs:
            _record(request, job, "periodic_task.started")
            send(job.task)
        text = ngettext("%(n)d job was started.", "%(n)d jobs were started.", len(jobs))
        messages.success(request, text % {"n": len(jobs)})

    @transaction.atomic
    def _switch(self, request: HttpRequest, jobs: QuerySet[PeriodicTask], *, verb: str, enabled: bool) -> int:
        rows = list(jobs.select_for_update(of=("self",)).order_by("pk"))
        for row in rows:
            _record(request, row, verb)
        # As beat's own admin does: a job that was paused for days is not run for each of them.
        values = {"enabled": True} if enabled else {"enabled": False, "last_run_at": None}
        PeriodicTask.objects.filter(pk__in=[row.pk for row in rows]).update(**values)
        PeriodicTasks.update_changed()
        return len(rows)

    @admin.display(description=_("name"), ordering="name")
    def name_text(self, task: PeriodicTask) -> str:
        return code_text(task.name)

    @admin.display(description=_("timing"))
    def timing(self, task: PeriodicTask) -> str:
        if task.interval is not None:
            return _every(task.interval.every, task.interval.period)
        return _at(task.crontab) if task.crontab is not None else "–"


def _record(request: HttpRequest, job: PeriodicTask, verb: str) -> None:
    audit.record(
        actor=actor_of(request),
        verb=verb,
        object_type="periodic_task",
        object_id=job.pk,
        detail={"name": code_text(job.name)},
    )


def _every(count: int, period: str) -> str:
    if period == "seconds" and count % 60 == 0:
        count, period = count // 60, "minutes"
    match period:
        case "seconds":
            text = ngettext("every second", "every %(n)d seconds", count)
        case "minutes":
            text = ngettext("every minute", "every %(n)d minutes", count)
        case _other:
            return f"{count} {period}"
    return text % {"n": count}


def _at(crontab: CrontabSchedule) -> str:
    """Return the kinds of times that our schedule has in words, any other as it is written."""
    minute, hour, days = crontab.minute, crontab.hour, crontab.day_of_month
    first, _dash, last = hour.partition("-")
    if not minute.isdecimal() or (crontab.month_of_year, crontab.day_of_week) != ("*", "*"):
        return str(crontab)
    if days != "*":
        if not hour.isdecimal():
            return str(crontab)
        text = gettext("at %(time)s on days %(days)s of the month")
        return text % {"time": f"{hour:0>2}:{minute:0>2}", "days": days}
    if hour.isdecimal():
        return gettext("daily at %(time)s") % {"time": f"{hour:0>2}:{minute:0>2}"}
    if hour == "*":
        return gettext("every hour at minute %(minute)s") % {"minute": minute}
    if hour.startswith("*/"):
        return gettext("every %(hours)s hours at minute %(minute)s") % {"hours": hour[2:], "minute": minute}
    if first.isdecimal() and last.isdecimal():
        text = gettext("hourly from %(first)s to %(last)s")
        return text % {"first": f"{first:0>2}:{minute:0>2}", "last": f"{last:0>2}:{minute:0>2}"}
    return str(crontab)


def adopt_other_apps(site: admin.AdminSite) -> None:
    """Register other packages' admin pages again in our theme, and unregister those without use here.

    Called after every app has registered its own.
    """
    for model in list(site._registry):  # noqa: SLF001 -- the registry has no public listing
        if model._meta.app_label in {"auth", "account", "sites", "usersessions", "django_celery_beat"}:
            site.unregister(model)
    site.register(PeriodicTask, PeriodicTaskAdmin)
