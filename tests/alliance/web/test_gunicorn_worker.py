"""Web workers share connections evenly; whoever is gone is not waited for. Slow clients: tests/hostile."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from alliance.web import gunicorn_worker
from alliance.web.gunicorn_worker import PatientWorker


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that new connections were left to others."""
    found: list[float] = []
    monkeypatch.setattr(gunicorn_worker.time, "sleep", found.append)
    return found


@pytest.fixture
def pair() -> Iterator[list[PatientWorker]]:
    """Two workers that accept connections: the first has two, the second one."""
    workers = []
    for age, connections in ((1, 2), (2, 1)):
        worker = PatientWorker(age, 0, [], None, 30, Config(), None)
        worker.nr_conns, worker._accepting = connections, True
        worker._publish_count()
        workers.append(worker)
    yield workers
    for worker in workers:
        worker.forget()
        worker.tmp.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Nobody connects: as for a worker that came too late."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.setblocking(False)
        yield found


def test_worker_with_more_leaves_a_new_connection_to_the_other(
    pair: list[PatientWorker], listener: socket.socket, waits: list[float]
) -> None:
    pair[1].accept(listener)
    assert waits == []
    pair[0].accept(listener)
    assert waits == [gunicorn_worker.YIELD_SECONDS]


def test_equals_do_not_wait_for_each_other(
    pair: list[PatientWorker], listener: socket.socket, waits: list[float]
) -> None:
    pair[1].nr_conns = 2
    pair[1].accept(listener)
    pair[0].accept(listener)
    assert waits == []


def test_nobody_waits_for_a_worker_that_died(
    pair: list[PatientWorker], listener: socket.socket, waits: list[float]
) -> None:
    pair[1].forget()
    pair[0].accept(listener)
    assert waits == []


def test_nobody_waits_for_a_worker_that_takes_no_more(
    pair: list[PatientWorker], listener: socket.socket, waits: list[float]
) -> None:
    pair[1]._accepting = False
    pair[1]._publish_count()
    pair[0].accept(listener)
    assert waits == []
