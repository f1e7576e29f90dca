"""Liveness and readiness checks, for load balancers and operators."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import Error, connection, models
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from redis import Redis, RedisError

from alliance import backups
from alliance.database import cluster, partitions, stored_functions
from alliance.database.postgresql.commits import count_waiting
from alliance.database.postgresql.questions import answers
from alliance.database.postgresql.silence import WATCH, answers_within
from alliance.disks import disk_check, measure
from alliance.models import Heartbeat
from alliance.registry import Registry
from alliance.tenancy import Scope, raw_rows, scope
from alliance.web.metrics import publish
from alliance.web.operators import is_operator

BEAT_SILENT_AFTER = timedelta(seconds=90)
# With fewer months ahead, bookings will soon have no partition.
MONTHS_AHEAD_NEEDED = 2
# Queue tables by name; apps register their own.
QUEUES: Final[Registry[str, type[models.Model]]] = Registry("queue")
# Checks of apps by name, in which the database is asked; and what sets an app's metrics, told by `is_known`
# whether the database answers.
CHECKS: Final[Registry[str, Callable[[], dict[str, object]]]] = Registry("check")
MEASURES: Final[Registry[str, Callable[..., None]]] = Registry("measure", {"backups": backups.measure})
# Rows of longer queues are counted only up to this number.
COUNTED_TO = 100_000
# Whoever asks for readiness waits for two seconds, and both may hang.
DATABASE_SECONDS = REDIS_SECONDS = 0.8
_UNKNOWN: Final = {"ok": False, "detail": "unknown"}


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
    checks = _readiness.now()
    ready = all(check["ok"] for check in checks.values())
    # Names of servers, queues and versions are not for everybody.
    details = {"checks": checks} if is_operator(request) else {}
    return JsonResponse({"ready": ready, **details}, status=200 if ready else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Metrics of all web processes, for Prometheus."""
    measure()
    _measure_by_database()
    publish()
    response: HttpResponse = ExportToDjangoView(request)
    return response


def _measure_by_database() -> None:
    try:
        with answers_within(DATABASE_SECONDS):
            _measure_all(is_known=bool(_database()["ok"]))
    except Error:
        _measure_all(is_known=False)


def _measure_all(*, is_known: bool) -> None:
    for measure_one in MEASURES.values():
        measure_one(is_known=is_known)


def readiness() -> dict[str, dict[str, object]]:
    """Return all checks by name, within two seconds even if no server answers."""
    checks = {"database": _database(), "redis": _redis(), "disks": disk_check()}
    is_up = bool(checks["database"]["ok"])
    with answers_within(DATABASE_SECONDS):
        for name, check in (_OF_THE_DATABASE | CHECKS | _OF_ALL_NODES).items():
            try:
                checks[name] = check() if is_up else dict(_UNKNOWN)
            except Error:
                # Nor will it answer the next one: the waits would add up.
                is_up, checks[name] = False, dict(_UNKNOWN)
                checks[name]["ok"] = name in _OF_ALL_NODES and cluster.is_distributed()
    return checks


class _Shared:
    """Readiness, worked out once for all requests that wait for it together: it costs too much for each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, dict[str, object]] = {}
        self._found_at = float("-inf")

    def now(self) -> dict[str, dict[str, object]]:
        arrived = time.monotonic()
        with self._lock:
            if self._found_at < arrived:
                self._found = readiness()
                self._found_at = time.monotonic()
            return self._found


_readiness = _Shared()


def _database() -> dict[str, object]:
    try:
        # On a new connection: that of this thread, if it has none, would take longer to fail.
        if WATCH.silent_since is None and answers(connection.get_connection_params(), DATABASE_SECONDS):
            with answers_within(DATABASE_SECONDS), connection.cursor() as cursor:
                return _writing(cursor)
    except Error:
        return {"ok": False, "detail": "no connection"}
    return {"ok": False, "detail": "no answer"}


def _writing(cursor: CursorWrapper) -> dict[str, object]:
    """Return whether the database that answers can be written to."""
    cursor.execute("SHOW transaction_read_only")
    if cursor.fetchone()[0] == "on":
        # A standby, or a primary that was made read-only: the next look is for another one.
        connection.connection.hang_up()
        return {"ok": False, "detail": "read-only"}
    if waiting := count_waiting(cursor):
        return {"ok": False, "detail": "commits wait for a standby", "waiting": waiting}
    return {"ok": True}


def _redis() -> dict[str, object]:
    # Not through the cache, which ignores failures of Redis.
    try:
        options = {**settings.REDIS_OPTIONS, "socket_timeout": REDIS_SECONDS}
        with Redis.from_url(settings.REDIS_URL, **options) as redis:
            return {"ok": True, "tasks_waiting": redis.llen("celery")}
    except RedisError:
        return {"ok": False, "detail": "no connection"}


def _queues() -> dict[str, object]:
    """Return the lengths of the queues. No length is a failure, but one that keeps growing is."""
    if cluster.missing_workers():
        return {"ok": True, "detail": "not counted"}
    with scope(Scope.everything()):
        if cluster.is_distributed():
            waiting = _queues_of_shards()
        else:
            waiting = {
                name: model._default_manager.order_by()[:COUNTED_TO].count() for name, model in QUEUES.items()
            }
    return {"ok": True, **waiting}


def _queues_of_shards() -> dict[str, int]:
    # One statement to each shard, which counts its own of all queues; a limit would be rows sent from there.
    rows = " UNION ALL ".join(
        f"SELECT parcel_id, '{name}' AS queue FROM {model._meta.db_table}"  # noqa: S608 -- names of ours
        for name, model in QUEUES.items()
    )
    counts = raw_rows(f"SELECT queue, count(*) FROM ({rows}) AS waiting GROUP BY queue")  # noqa: S608
    return dict.fromkeys(QUEUES, 0) | dict(counts)


def _nodes() -> dict[str, object]:
    """Return which workers of a cluster are away. That costs what they hold: all else is served."""
    return {"ok": True, "missing": cluster.missing_workers()}


def _migrations() -> dict[str, object]:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    missing = [statement.name for statement in stored_functions.missing()]
    return {"ok": not waiting and not missing, "waiting": len(waiting), "statements_missing": missing}


def _partitions() -> dict[str, object]:
    ahead = partitions.months_ahead()
    return {"ok": ahead >= MONTHS_AHEAD_NEEDED, "months_ahead": ahead}


def _beat() -> dict[str, object]:
    last = Heartbeat.objects.filter(name="beat").first()
    if last is None:
        return {"ok": False, "detail": "never ran"}
    # Of the future: the clock was set back.
    return {"ok": abs(timezone.now() - last.at) < BEAT_SILENT_AFTER, "last": last.at.isoformat()}


_OF_THE_DATABASE: Final[dict[str, Callable[[], dict[str, object]]]] = {
    "migrations": _migrations,
    "partitions": _partitions,
    "beat": _beat,
    "backups": backups.check,
}
# The last ones: they wait for every worker of a cluster, and readiness does not depend on all of them.
_OF_ALL_NODES: Final[dict[str, Callable[[], dict[str, object]]]] = {"queues": _queues, "nodes": _nodes}
