"""Web workers divide connections evenly, make room for new ones, and do not wait for ended workers.

Slow clients: tests/hostile.
"""

import selectors
import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

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


@pytest.fixture
def crowded() -> Iterator[PatientWorker]:
    """A worker without room that takes no more than ten connections, as far as a test has it look."""
    worker = PatientWorker(9, 0, [], None, 30, Config(), None)
    worker.worker_connections = gunicorn_worker.ROOM + 10
    worker.poller = selectors.DefaultSelector()
    worker._arrivals, worker._ending, worker._buffered = {}, {}, 0
    yield worker
    worker.poller.close()
    worker.tmp.close()


def connect(worker: PatientWorker, said: bytes) -> tuple[socket.socket, TConn]:
    ours, theirs = socket.socketpair()
    theirs.sendall(said)
    conn = TConn(worker.cfg, ours, ("127.0.0.1", 1), ("127.0.0.1", 2))
    worker.nr_conns += 1
    worker.enqueue_req(conn)
    return theirs, conn


def test_oldest_arrivals_make_room_for_others(crowded: PatientWorker) -> None:
    clients = [connect(crowded, b"GET / HTTP/1.1\r\nX: ") for _client in range(12)]
    crowded._make_room()
    left = [conn for _socket, conn in clients if conn in crowded._arrivals]
    assert left == [conn for _socket, conn in clients][3:]
    assert crowded.nr_conns == 9
    assert crowded._buffered == sum(crowded._arrivals[conn].size for conn in left)
    for client, conn in clients:
        client.close()
        conn.sock.close()


def test_too_many_bytes_in_all_make_room(crowded: PatientWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [connect(crowded, b"GET / HTTP/1.1\r\nX: " + b"x" * 1000) for _client in range(3)]
    monkeypatch.setattr(gunicorn_worker, "MOST_BUFFERED_BYTES", 1500)
    crowded._make_room()
    assert list(crowded._arrivals) == [clients[2][1]]
    for client, conn in clients:
        client.close()
        conn.sock.close()


def test_silent_client_is_hung_up_on_and_a_late_body_is_left_to_a_thread(
    crowded: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[TConn] = []
    monkeypatch.setattr(crowded, "_dispatch", lambda conn: handed.append(conn))
    silent, without_head = connect(crowded, b"")
    slow, with_head = connect(crowded, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx")
    crowded._sweep()
    assert set(crowded._arrivals) == {without_head, with_head}
    monkeypatch.setattr(gunicorn_worker, "GRACE_SECONDS", -1.0)
    crowded._sweep()
    assert handed == [with_head]
    assert silent.recv(1) == b""
    for client, conn in ((silent, without_head), (slow, with_head)):
        client.close()
        conn.sock.close()


def test_client_that_hangs_up_is_forgotten(crowded: PatientWorker) -> None:
    client, conn = connect(crowded, b"")
    client.close()
    crowded._receive(conn)
    assert (crowded.nr_conns, crowded._arrivals) == (0, {})
