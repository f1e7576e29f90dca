"""Web workers divide connections evenly, make room for new ones, and do not wait for ended workers.

Slow clients: tests/hostile.
"""

import logging
import selectors
import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from alliance.web import connections, gunicorn_worker
from alliance.web.connections import ImpatientSocket
from alliance.web.gunicorn_worker import PatientWorker
from alliance.web.threads import Threads


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
    for age, number in ((1, 2), (2, 1)):
        worker = PatientWorker(age, 0, [], None, 30, Config(), None)
        worker.nr_conns, worker._accepting = number, True
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
    worker._arrivals, worker._ending, worker._held, worker._buffered = {}, {}, {}, 0
    worker._busy, worker._impetuous, worker._next_weighing = set(), set(), float("inf")
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


@pytest.mark.parametrize(("most", "goes_on"), [(1, False), (100_000, True)])
def test_worker_that_has_grown_ends_after_its_requests(
    most: int, goes_on: bool, crowded: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gunicorn_worker, "MOST_MEMORY_MB", most)
    crowded.alive, crowded.log, crowded._next_weighing = True, logging.getLogger(__name__), 0.0
    crowded._sweep()
    assert crowded.alive is goes_on


def test_worker_does_not_leave_while_the_others_are_being_replaced(
    pair: list[PatientWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gunicorn_worker, "MOST_MEMORY_MB", 1)
    first, second = pair
    for worker in pair:
        worker.alive, worker.log = True, logging.getLogger(__name__)
        worker.cfg.set("workers", 2)
    second.forget()
    first._end_if_grown()
    assert first.alive
    second._publish_count()
    first._end_if_grown()
    assert not first.alive


# --- one connection while a thread answers ---------------------------------------------------


@pytest.fixture
def answering(crowded: PatientWorker, monkeypatch: pytest.MonkeyPatch) -> PatientWorker:
    """A worker whose threads do nothing, so that a test says when a request is answered."""
    monkeypatch.setattr(crowded, "tpool", Threads(1), raising=False)
    monkeypatch.setattr(crowded.tpool, "submit", lambda call: None)
    crowded.method_queue.init()
    crowded.alive = True
    return crowded


def turn(worker: PatientWorker) -> None:
    """One turn of the event loop."""
    for key, _events in worker.poller.select(0):
        key.data(key.fileobj)


def finish(worker: PatientWorker, conn: TConn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer the request of a connection, like a thread."""
    conn.sock.early = b""
    conn.init()
    monkeypatch.setattr(worker, "handle", lambda _conn: True)
    worker._answer(conn)


WHOLE = b"GET / HTTP/1.1\r\n\r\n"


def test_next_request_on_a_connection_needs_no_word_from_the_thread(
    answering: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, conn = connect(answering, WHOLE)
    assert conn in answering._busy
    finish(answering, conn, monkeypatch)
    assert list(answering.keepalived_conns) == [conn]
    client.sendall(WHOLE)
    turn(answering)
    assert conn in answering._busy
    assert not answering.keepalived_conns
    client.close()
    conn.sock.close()


def test_request_sent_before_the_answer_is_taken_up_after_it(
    answering: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, conn = connect(answering, WHOLE)
    client.sendall(WHOLE)
    turn(answering)
    # Not looked at again and again meanwhile.
    assert conn in answering._impetuous
    assert not answering.poller.select(0)
    finish(answering, conn, monkeypatch)
    answering.method_queue.run_callbacks(None)
    turn(answering)
    assert conn in answering._busy
    assert not answering._impetuous
    client.close()
    conn.sock.close()


def test_client_that_hangs_up_before_the_answer_is_forgotten_after_it(
    answering: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, conn = connect(answering, WHOLE)
    client.close()
    turn(answering)
    finish(answering, conn, monkeypatch)
    answering.method_queue.run_callbacks(None)
    turn(answering)
    assert (answering.nr_conns, answering._arrivals, answering._busy) == (0, {}, set())


def test_client_that_hangs_up_in_the_turn_in_which_its_connection_is_ended(
    answering: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, conn = connect(answering, WHOLE)
    client.close()
    # The loop has fetched this event already, when it ends the connection.
    stale = [key for key, _events in answering.poller.select(0)]
    conn.sock.early = b""
    conn.init()
    monkeypatch.setattr(answering, "handle", lambda _conn: False)
    answering._answer(conn)
    answering.method_queue.run_callbacks(None)
    assert conn in answering._ending
    for key in stale:
        key.data(key.fileobj)
        key.data(key.fileobj)
    assert (answering.nr_conns, answering._ending, answering._busy) == (0, {}, set())


def test_answer_that_is_held_back_is_sent_later_by_the_event_loop(
    answering: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, conn = connect(answering, WHOLE)
    conn.sock.hold = 60.0
    conn.sock.sendall(b"refused")
    finish(answering, conn, monkeypatch)
    answering.method_queue.run_callbacks(None)
    answering._sweep()
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(100)
    answering._held[conn] = (0.0, True)
    answering._sweep()
    assert client.recv(100) == b"refused"
    client.sendall(WHOLE)
    turn(answering)
    assert conn in answering._busy
    client.close()
    conn.sock.close()


def test_head_and_body_of_an_answer_are_sent_together() -> None:
    ours, theirs = socket.socketpair()
    sock = ImpatientSocket.over(ours)
    with sock, theirs:
        theirs.setblocking(False)
        sock.sendall(b"head")
        sock.sendall(b"body")
        with pytest.raises(BlockingIOError):
            theirs.recv(9)
        sock.flush()
        assert theirs.recv(9) == b"headbody"


def test_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "FETCH_SECONDS", 0.01)
    monkeypatch.setattr(connections, "LEAST_BYTES_A_SECOND", 10**12)
    ours, theirs = socket.socketpair()
    sock = ImpatientSocket.over(ours)
    with sock, theirs, pytest.raises(BrokenPipeError, match="too slowly"):
        sock.sendall(b"x" * 50_000_000)


def test_bytes_that_come_too_slowly_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GRACE_SECONDS", 0.01)
    ours, theirs = socket.socketpair()
    sock = ImpatientSocket.over(ours)
    sock.begin(b"ab")
    with sock, theirs:
        assert sock.recv(8) == b"ab"
        with pytest.raises(ConnectionResetError, match="too slowly"):
            sock.recv(8)
