"""Web workers divide connections evenly, and do not wait for ended workers. Slow clients: tests/hostile."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from alliance.web import gunicorn_worker
from alliance.web.gunicorn_worker import PatientWorker


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that workers left new connections to others."""
    sleeps: list[float] = []
    monkeypatch.setattr(gunicorn_worker.time, "sleep", sleeps.append)
    return sleeps


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
    """A listener without a connection, as for a worker that accepts too late."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


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


def test_dead_worker_is_not_waited_for(
    pair: list[PatientWorker], listener: socket.socket, waits: list[float]
) -> None:
    pair[1].forget()
    pair[0].accept(listener)
    assert waits == []


def test_worker_that_stops_accepting_is_not_waited_for(
    pair: list[PatientWorker], listener: socket.socket, waits: list[float]
) -> None:
    pair[1]._accepting = False
    pair[1]._publish_count()
    pair[0].accept(listener)
    assert waits == []
