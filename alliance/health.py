"""Liveness and readiness checks, for load balancers and operators."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection, models
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from redis import Redis, RedisError

from alliance.database import partitions, stored_functions
from alliance.models import Heartbeat
from alliance.registry import Registry
from alliance.tenancy import Scope, scope

BEAT_SILENT_AFTER = timedelta(seconds=90)
# With fewer months ahead, bookings will soon have no partition.
MONTHS_AHEAD_NEEDED = 2
# Queue tables by name; apps register their own.
QUEUES: Final[Registry[str, type[models.Model]]] = Registry("queue")
# Rows of longer queues are counted only up to this number.
COUNTED_TO = 100_000


def note_heartbeat(name: str, **detail: object) -> None:
    """Record that a periodic job has just run."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now(), "detail": detail})


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Readiness: 200 if everything a request needs works, else 503 with the failed checks."""
    checks = {
        "database": _database(),
        "redis": _redis(),
        "migrations": _migrations(),
        "partitions": _partitions(),
        "beat": _beat(timezone.now()),
        "queues": _queues(),
    }
    ready = all(check["ok"] for check in checks.values())
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


def _database() -> dict[str, object]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return {"ok": False, "detail": "no connection"}
    return {"ok": True}


def _redis() -> dict[str, object]:
    # Not through the cache, which ignores failures of Redis.
    try:
        with Redis.from_url(settings.REDIS_URL, **settings.REDIS_OPTIONS) as redis:
            return {"ok": True, "tasks_waiting": redis.llen("celery")}
    except RedisError:
        return {"ok": False, "detail": "no connection"}


def _queues() -> dict[str, object]:
    """Return the lengths of the queues. No length is a failure, but one that keeps growing is."""
    try:
        with scope(Scope.everything()):
            waiting = {
                name: model._default_manager.order_by()[:COUNTED_TO].count() for name, model in QUEUES.items()
            }
    except DatabaseError:
        return {"ok": False, "detail": "unknown"}
    return {"ok": True, **waiting}


def _migrations() -> dict[str, object]:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
        missing = [statement.name for statement in stored_functions.missing()]
    except DatabaseError:
        return {"ok": False, "detail": "unknown"}
    return {"ok": not waiting and not missing, "waiting": len(waiting), "statements_missing": missing}


def _partitions() -> dict[str, object]:
    try:
        ahead = partitions.months_ahead()
    except DatabaseError:
        return {"ok": False, "detail": "unknown"}
    return {"ok": ahead >= MONTHS_AHEAD_NEEDED, "months_ahead": ahead}


def _beat(now: datetime) -> dict[str, object]:
    try:
        last = Heartbeat.objects.filter(name="beat").first()
    except DatabaseError:
        return {"ok": False, "detail": "unknown"}
    if last is None:
        return {"ok": False, "detail": "never ran"}
    return {"ok": now - last.at < BEAT_SILENT_AFTER, "last": last.at.isoformat()}
