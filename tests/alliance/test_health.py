"""Health and readiness checks."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alliance import health
from alliance.database import partitions
from alliance.database.postgresql import silence
from alliance.health import note_heartbeat
from alliance.models import Heartbeat, User

pytestmark = pytest.mark.django_db


def test_healthz_answers_without_the_database(client: Client, django_assert_num_queries: Callable) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").status_code == 200


def test_healthz_queries_nothing_and_metrics_no_user(client: Client, merchant_user: User) -> None:
    client.force_login(merchant_user)
    for path in ("/healthz", "/metrics"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        read = " ".join(query["sql"] for query in queries)
        assert "alliance_user" not in read
        assert "session" not in read
        assert bool(read) == (path == "/metrics")


def test_ready_when_everything_is_there(client: Client) -> None:
    note_heartbeat("beat")
    response = client.get("/readyz")
    assert response.status_code == 200, response.json()
    assert response.json()["ready"] is True
    assert response.json()["checks"]["partitions"]["months_ahead"] >= partitions.MONTHS_AHEAD


def test_not_ready_before_beat_ever_ran(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["beat"] == {"ok": False, "detail": "never ran"}


@pytest.mark.parametrize("ago", [timedelta(minutes=3), timedelta(hours=-8)], ids=["silent", "clock set back"])
def test_not_ready_when_beat_fell_silent(client: Client, ago: timedelta) -> None:
    note_heartbeat("beat")
    Heartbeat.objects.update(at=timezone.now() - ago)
    assert client.get("/readyz").json()["checks"]["beat"]["ok"] is False


def test_not_ready_when_months_run_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "months_ahead", lambda: 1)
    note_heartbeat("beat")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["partitions"] == {"ok": False, "months_ahead": 1}


def test_queue_lengths_are_reported(client: Client) -> None:
    checks = client.get("/readyz").json()["checks"]
    assert checks["queues"] == {"ok": True, "tallies": 0, "progress": 0, "credit_checks": 0}
    assert checks["redis"]["tasks_waiting"] >= 0


def test_not_ready_without_redis_which_pages_go_on_without(client: Client, settings: Any) -> None:
    note_heartbeat("beat")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["redis"] == {"ok": False, "detail": "no connection"}


@pytest.fixture
def frozen() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_not_ready_soon_when_both_servers_hang(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, frozen: int
) -> None:
    monkeypatch.setattr(health, "DATABASE_SECONDS", 0.05)
    monkeypatch.setattr(health, "REDIS_SECONDS", 0.05)
    settings.REDIS_URL = f"redis://127.0.0.1:{frozen}/0"
    params = connection.get_connection_params() | {"host": "127.0.0.1", "port": frozen}
    monkeypatch.setattr(connection, "get_connection_params", lambda: params)
    response = client.get("/readyz")
    assert response.status_code == 503
    unknown = dict.fromkeys(
        ("migrations", "partitions", "beat", "backups", "webhooks", "queues", "nodes"),
        {"ok": False, "detail": "unknown"},
    )
    checks = response.json()["checks"]
    assert checks.pop("disks")["ok"]
    assert checks == {
        "database": {"ok": False, "detail": "no answer"},
        "redis": {"ok": False, "detail": "no connection"},
        **unknown,
    }


def test_limits_of_readiness_are_below_two_seconds() -> None:
    assert health.DATABASE_SECONDS + health.REDIS_SECONDS < 2


def test_silent_database_is_not_asked(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence.WATCH, "silent_since", time.monotonic())
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == {"ok": False, "detail": "no answer"}


def test_database_that_fails_in_between_is_not_asked_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise OperationalError("gone")

    monkeypatch.setattr(partitions, "months_ahead", fail)
    checks = client.get("/readyz").json()["checks"]
    assert [name for name, check in checks.items() if check.get("detail") == "unknown"] == [
        "partitions",
        "beat",
        "backups",
        "webhooks",
        "queues",
        "nodes",
    ]


def test_readiness_is_worked_out_once_for_all_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, calls = threading.Event(), threading.Event(), []

    def work_out() -> dict[str, dict[str, object]]:
        calls.append(1)
        begun.set()
        go_on.wait(10)
        return {"database": {"ok": True}}

    monkeypatch.setattr(health, "readiness", work_out)
    shared = health._Shared()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(shared.now)
        begun.wait(10)
        others = [pool.submit(shared.now) for _request in range(2)]
        while not all(future.running() for future in others):
            time.sleep(0.01)
        time.sleep(0.05)
        go_on.set()
        assert all(future.result() == {"database": {"ok": True}} for future in [first, *others])
    assert len(calls) == 1
    shared.now()
    assert len(calls) == 2


def test_metrics_are_exposed(client: Client) -> None:
    assert b"django_http_requests" in client.get("/metrics").content


def test_request_id_is_kept_when_sane_and_made_otherwise(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-12345678"})["X-Request-Id"] == "abc-12345678"
    request_id = client.get("/healthz", headers={"X-Request-Id": "bad id\n"})["X-Request-Id"]
    assert len(request_id) == 32


def test_ready_while_a_worker_of_a_cluster_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alliance.database.cluster.missing_workers", lambda: ["10.0.0.2:5432"])
    note_heartbeat("beat")
    response = client.get("/readyz")
    assert response.status_code == 200, response.json()
    checks = response.json()["checks"]
    assert checks["nodes"] == {"ok": True, "missing": ["10.0.0.2:5432"]}
    assert checks["queues"] == {"ok": True, "detail": "not counted"}


def test_ops_are_told_which_worker_is_away(ops_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alliance.database.cluster.missing_workers", lambda: ["10.0.0.2:5432"])
    assert "worker 10.0.0.2:5432 does not answer" in ops_client.get("/admin/").content.decode()
