"""The admin's dashboard and menu (callbacks of django-unfold).

The dashboard reads folded cells and a few short tables: its cost does not depend on the number of
parcels.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Count, Min
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from alliance import backups
from alliance.backups import Backups
from alliance.choices import Capability
from alliance.database import cluster, partitions
from alliance.demo_progress import demo_progress
from alliance.durations import duration_text
from alliance.figures import kept
from alliance.health import BEAT_SILENT_AFTER, MONTHS_AHEAD_NEEDED
from alliance.models import Heartbeat
from alliance.tenancy import Actor
from alliance.web.requests import actor_of
from alliance.wording import server_zone_text
from couriers.choices import ApplicationState
from couriers.models import Application
from parcels.webhooks.health import lag
from slas.audits.rates import HEARTBEAT as AUDIT
from slas.choices import CommitmentKind
from slas.models import Excuse
from slas.rates.charts import trend_chart
from slas.rates.names import Standing, standings
from slas.rates.queries import MONTH, overdue_by_courier, rates_for, summary_for
from slas.rates.rules import GroupBy, RateRow

# How long each periodic job may be silent; allows for one missed run.
SILENT_AFTER: dict[str, timedelta] = {
    "beat": BEAT_SILENT_AFTER,
    "sweep-overdue": timedelta(minutes=5),
    "fold-tallies": timedelta(minutes=5),
    "work-out-credits": timedelta(minutes=5),
    AUDIT: timedelta(hours=50),
}
JOBS: dict[str, str | Promise] = {
    "beat": gettext_lazy("Scheduler and worker"),
    "sweep-overdue": gettext_lazy("Overdue check"),
    "fold-tallies": gettext_lazy("On-time rate update"),
    "work-out-credits": gettext_lazy("Credit calculation"),
    AUDIT: gettext_lazy("On-time rate audit"),
}


@dataclass(frozen=True, slots=True)
class CourierLine:
    """One courier in the table: its 30-day record, deliveries due today, and overdue parcels."""

    standing: Standing
    due_today: int
    overdue_now: int


@dataclass(frozen=True, slots=True)
class Job:
    """A periodic job and its health."""

    name: str | Promise
    # How long ago it last finished, in words; empty if never.
    age: str
    is_stale: bool
    finding: str = ""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the alliance's figures to the admin's front page (UNFOLD["DASHBOARD_CALLBACK"])."""
    actor = actor_of(request)
    now, today = timezone.now(), timezone.localdate()
    if not actor.can(Capability.OPERATE):
        claims = (
            _claims(actor, now) if admin.site.get_model_admin(Excuse).has_view_permission(request) else None
        )
        return context | {"title": _("Dashboard"), "claims": claims, "looks_up": True}
    delivery = summary_for(actor=actor, today=today, kind=CommitmentKind.DELIVERY)
    pickup = summary_for(actor=actor, today=today, kind=CommitmentKind.PICKUP)
    trend = trend_chart(delivery.trend, id="trend", title=_("Deliveries on time by day"))
    jobs = _jobs(now)
    ahead = partitions.months_ahead(now=now)
    found, webhooks = backups.read(), _webhook_lines(now)
    return context | {
        "title": _("Dashboard"),
        "today": today,
        "zone": server_zone_text(),
        "delivery": delivery,
        "pickup": pickup,
        "periods": [
            (_("Delivered on time, 7 days"), delivery.week),
            (_("Delivered on time, 30 days"), delivery.month),
            (_("Picked up on time, 7 days"), pickup.week),
            (_("Picked up on time, 30 days"), pickup.month),
        ],
        "trend": trend,
        "couriers": _couriers(actor, today),
        "waiting": _waiting(now),
        "claims": _claims(actor, now),
        "jobs": [*jobs, *webhooks, *_backup_lines(found, now)],
        "months_ahead": ahead,
        "months_needed": MONTHS_AHEAD_NEEDED,
        "warnings": [
            *_missing_workers(),
            *_warnings(jobs, ahead),
            *(f"{line.name}: {line.age}." for line in webhooks if line.is_stale),
            *(late.text for late in backups.problems(found, now)),
        ],
    }


def _missing_workers() -> list[str]:
    text = _("The database's worker %(node)s does not answer. What it holds is neither shown nor changed.")
    return [text % {"node": node} for node in cluster.missing_workers()]


def _couriers(actor: Actor, today: date) -> list[CourierLine]:
    """Every courier with commitments due in the last 30 days, the most reliable first."""
    first = today - timedelta(days=MONTH - 1)
    rows = rates_for(actor=actor, first=first, last=today, today=today, group_by=GroupBy.COURIER)
    due = rates_for(actor=actor, first=today, last=today, today=today, group_by=GroupBy.COURIER)
    due_today = {row.group: row.promised for row in due}
    overdue = overdue_by_courier(actor=actor)
    # Also list couriers that only have older overdue parcels.
    rows += [RateRow(group=courier) for courier in overdue.keys() - {row.group for row in rows}]
    return [
        CourierLine(standing, due_today.get(standing.row.group, 0), overdue.get(standing.row.group, 0))
        for standing in standings(rows, GroupBy.COURIER)
    ]


def _waiting(now: datetime) -> dict[str, Any]:
    """How many applications wait for a decision, and for how long the oldest has waited."""
    submitted = list(
        Application.objects.filter(state=ApplicationState.SUBMITTED)
        .order_by("submitted_at")
        .values_list("submitted_at", flat=True)
    )
    oldest = submitted[0] if submitted else None
    return {"count": len(submitted), "since": timesince(oldest, now, depth=1) if oldest else ""}


def _claims(actor: Actor, now: datetime) -> dict[str, Any]:
    """How many excuses wait for a decision, and for how long the oldest has waited.

    No count while a worker of a cluster is away and there is no last one.
    """

    def waiting() -> dict[str, Any]:
        return Excuse.objects.waiting().aggregate(count=Count("pk"), oldest=Min("claimed_at"))

    found = kept("claims", actor, waiting, otherwise={"count": None, "oldest": None})
    oldest = found["oldest"]
    return {"count": found["count"], "since": timesince(oldest, now, depth=1) if oldest else ""}


def _jobs(now: datetime) -> list[Job]:
    beats = {beat.name: beat for beat in Heartbeat.objects.filter(name__in=SILENT_AFTER)}
    return [_job(name, beats.get(name), now) for name in SILENT_AFTER]


def _job(name: str, beat: Heartbeat | None, now: datetime) -> Job:
    if beat is None:
        # The audit runs at night: on the first day it was not due yet.
        return Job(JOBS[name], age="", is_stale=name != AUDIT)
    stale = now - beat.at > SILENT_AFTER[name]
    return Job(JOBS[name], _age(now - beat.at), stale, _finding(beat))


def _webhook_lines(now: datetime) -> list[Job]:
    """How far behind webhooks are, once a member has one."""
    behind = lag(now)
    if behind.read is None:
        return []
    most = max(behind.read, behind.due)
    text = _("%(time)s behind") % {"time": duration_text(most)} if behind.is_late else _("keeps up")
    return [Job(_("Webhooks"), text, behind.is_late)]


def _backup_lines(found: Backups, now: datetime) -> list[Job]:
    """The last backup and the archive of WAL, where they are set up."""
    if not found.are_set_up:
        return [Job(_("Backups"), age=_("not configured"), is_stale=False)]
    age, archive = found.age(now), found.archive
    is_late = age is None or age > timedelta(hours=settings.BACKUP_WARN_HOURS)
    lines = [Job(_("Last backup"), _age(age) if age is not None else "", is_late)]
    if archive:
        behind = archive.behind(now)
        is_behind = behind > timedelta(seconds=settings.ARCHIVE_WARN_SECONDS)
        text = _("%(time)s behind") % {"time": duration_text(behind)} if is_behind else _("keeps up")
        lines.append(Job(_("Archive of WAL"), text, is_behind))
    return lines


def _age(age: timedelta) -> str:
    if age < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(timezone.now() - age, depth=1)}


def _finding(beat: Heartbeat) -> str:
    """A summary of the differences that the audit found."""
    cells, breaches = beat.detail.get("cells", 0), beat.detail.get("breaches", 0)
    if beat.name != AUDIT or not (cells or breaches):
        return ""
    return _("%(cells)d rates and %(breaches)d breaches do not match the commitments") % {
        "cells": cells,
        "breaches": breaches,
    }


def _warnings(jobs: list[Job], months_ahead: int) -> list[str]:
    demo = demo_progress()
    # Beat waits for the end of a demo that is being loaded: a bar on the page says so.
    has_beat = demo is None or demo.is_stopped
    warnings = [
        _("%(job)s: last ran %(age)s.") % {"job": job.name, "age": job.age}
        if job.age
        else _("%(job)s: has never run.") % {"job": job.name}
        for job in jobs
        if job.is_stale and has_beat
    ]
    warnings += [f"{job.name}: {job.finding}." for job in jobs if job.finding]
    if months_ahead < MONTHS_AHEAD_NEEDED:
        warnings.append(_("Partitions exist for only %(months)d months ahead.") % {"months": months_ahead})
    return warnings


# --- the menu --------------------------------------------------------------------------------

MENU: tuple[tuple[str | Promise, tuple[tuple[str | Promise, str, str], ...]], ...] = (
    (
        gettext_lazy("Couriers"),
        (
            (gettext_lazy("Applications"), "assignment", "couriers.application"),
            (gettext_lazy("Changes of data"), "edit_note", "couriers.changerequest"),
            (gettext_lazy("Couriers"), "local_shipping", "couriers.courier"),
            (gettext_lazy("Facilities"), "warehouse", "couriers.facility"),
            (gettext_lazy("Offers"), "sell", "slas.offer"),
            (gettext_lazy("Capacity"), "event_available", "slas.capacityday"),
        ),
    ),
    (
        pgettext_lazy("menu section", "Parcels"),
        (
            (gettext_lazy("Parcels"), "package_2", "parcels.parcel"),
            (gettext_lazy("Booking files"), "upload_file", "parcels.bookingfile"),
            (gettext_lazy("Pickups"), "today", "parcels.pickup"),
            (gettext_lazy("Manifests"), "list_alt", "parcels.manifest"),
            (gettext_lazy("Watch list"), "visibility", "slas.watchitem"),
            (gettext_lazy("Merchants"), "storefront", "parcels.merchant"),
        ),
    ),
    (
        pgettext_lazy("menu section", "Promises"),
        (
            (gettext_lazy("Breaches"), "alarm", "slas.breachlisting"),
            (gettext_lazy("Exemptions"), "shield", "slas.excuse"),
            (gettext_lazy("Disruptions"), "thunderstorm", "slas.disruption"),
            (gettext_lazy("Commitments"), "handshake", "slas.commitmentlisting"),
            (gettext_lazy("Scorecards"), "military_tech", "slas.scorecard"),
            (gettext_lazy("On-time rates"), "monitoring", "slas.ontimerate"),
        ),
    ),
    (
        pgettext_lazy("menu section", "Credits"),
        (
            (gettext_lazy("Statements"), "receipt_long", "slas.statement"),
            (gettext_lazy("Ledger"), "menu_book", "slas.creditentry"),
            (gettext_lazy("Closed months"), "lock", "slas.closedmonth"),
        ),
    ),
    (
        pgettext_lazy("menu section", "Freight"),
        (
            (gettext_lazy("Freight statements"), "request_quote", "parcels.freightstatement"),
            (gettext_lazy("Surcharges"), "add_card", "parcels.surcharge"),
        ),
    ),
    (
        pgettext_lazy("menu section", "Rules"),
        (
            (gettext_lazy("Tiers"), "layers", "slas.servicetier"),
            (gettext_lazy("Tier versions"), "history", "slas.tierversion"),
            (gettext_lazy("Promise calculator"), "rule_settings", "slas.tierversion:promised"),
            (gettext_lazy("Credit schedules"), "price_change", "slas.creditschedule"),
            (gettext_lazy("Closures"), "event_busy", "slas.closure"),
            (gettext_lazy("Cities"), "location_city", "alliance.city"),
        ),
    ),
    (
        pgettext_lazy("menu section", "People and system"),
        (
            (gettext_lazy("Organisations"), "apartment", "alliance.organisation"),
            (gettext_lazy("Users"), "group", "alliance.user"),
            (gettext_lazy("API keys"), "key", "alliance.apikey"),
            (gettext_lazy("Webhooks"), "webhook", "parcels.webhookendpoint"),
            (gettext_lazy("Audit"), "fact_check", "alliance.auditentry"),
            (gettext_lazy("Events"), "bolt", "alliance.event"),
            (gettext_lazy("Retired months"), "inventory_2", "alliance.retiredmonth"),
            (gettext_lazy("System checks"), "ecg_heart", "alliance.heartbeat"),
            (gettext_lazy("Schedule"), "schedule", "django_celery_beat.periodictask"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the admin's menu (UNFOLD["SIDEBAR"]): the registered pages that this user may see."""
    home = {"title": _("Dashboard"), "icon": "dashboard", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"title": "", "items": [home]}]
    for title, entries in MENU:
        items = [item for entry in entries if (item := _menu_item(request, *entry))]
        groups.append({"title": title, "separator": True, "items": items})
    return [group for group in groups if group["items"]]


def _menu_item(request: HttpRequest, title: str | Promise, icon: str, model: str) -> dict[str, Any] | None:
    # "app.model" links to the changelist, "app.model:page" to another page of its admin.
    model, _colon, page = model.partition(":")
    model_class = apps.get_model(model)
    if not (
        admin.site.is_registered(model_class)
        and admin.site.get_model_admin(model_class).has_view_permission(request)
    ):
        return None
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{model.replace('.', '_')}_{page or 'changelist'}"),
    }
