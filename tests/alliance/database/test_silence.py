"""A database server that hangs is noticed, and nothing waits for it; one that is busy is waited for."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.db import OperationalError, connection

from alliance.database.postgresql import commits, silence
from alliance.database.postgresql.fences import NOWHERE
from alliance.database.postgresql.questions import Question, answers
from alliance.database.postgresql.silence import Silent, Watch, answers_within
from tests.helpers.owner import execute_as_owner

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def frozen() -> Iterator[dict[str, Any]]:
    """Where a server accepts connections and never answers, as one whose processes are paused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield {"host": "127.0.0.1", "port": server.getsockname()[1], "connect_timeout": 3}


@pytest.fixture
def closed() -> dict[str, Any]:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return {"host": "127.0.0.1", "port": server.getsockname()[1]}


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """The watch of the test's statements, which looks on only when the test has it look."""
    found = Watch()
    monkeypatch.setattr(found, "_look_on", lambda: None)
    monkeypatch.setattr(silence, "WATCH", found)
    monkeypatch.setattr("alliance.database.postgresql.base.WATCH", found)
    connection.close()
    connection.ensure_connection()
    return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement is waited for without asking, nor the answer to a question for long."""
    for name in ("ASK_AFTER_SECONDS", "ANSWER_SECONDS", "ASK_AGAIN_SECONDS", "TICK_SECONDS"):
        monkeypatch.setattr(silence, name, 0.02)


def look_until(watch: Watch, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        watch.look()
        time.sleep(0.01)


class Statement(threading.Thread):
    """A statement that another thread waits for."""

    def __init__(self, sql: str) -> None:
        super().__init__()
        self.sql, self.error = sql, ""
        self.start()

    def run(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(self.sql)
        except OperationalError as error:
            self.error = str(error)
        finally:
            connection.close()


def test_question_is_answered_by_a_server_and_by_a_refusal(closed: dict[str, Any]) -> None:
    for params in (connection.get_connection_params(), closed):
        assert answers(params, 10)


def test_question_is_not_answered_by_a_server_that_hangs(frozen: dict[str, Any]) -> None:
    question = Question(frozen)
    assert not question.is_answered(0.05)
    assert not question.has_failed
    question.close()


def test_full_queue_of_a_socket_is_no_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / ".s.PGSQL.1"))
        server.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _client in range(3)]
        for client in waiting:
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(str(tmp_path / ".s.PGSQL.1"))
        question = Question({"host": str(tmp_path), "port": 1})
        assert not question.is_answered(0.05)
        assert question.has_failed
        question.close()
        for client in waiting:
            client.close()


def test_statement_is_cut_off_at_its_own_limit(watch: Watch) -> None:
    watch.limit = 0.05
    statement = Statement("SELECT pg_sleep(30)")
    look_until(watch, lambda: not statement.is_alive())
    assert "the database did not answer within" in statement.error
    assert watch.silent_since is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_limit_of_a_block_goes_before_that_of_the_process(watch: Watch) -> None:
    watch.limit = 60
    with answers_within(0.05):
        assert watch.begin(None).limit == 0.05
        with answers_within(3):
            assert watch.begin(None).limit == 0.05
    assert watch.begin(None).limit == 60


def test_connection_that_was_hung_up_is_opened_again(watch: Watch) -> None:
    connection.connection.hang_up()
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_busy_server_is_waited_for(watch: Watch, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    is_settled = Question.is_settled
    monkeypatch.setattr(silence, "ANSWER_SECONDS", 30.0)

    def answer(question: Question, seconds: float) -> bool:
        asked.append(is_settled(question, 10))
        return asked[-1]

    monkeypatch.setattr(Question, "is_settled", answer)
    statement = Statement("SELECT pg_sleep(0.5)")
    look_until(watch, lambda: not statement.is_alive())
    assert statement.error == ""
    assert asked
    assert all(asked)


def test_silent_server_is_not_waited_for_until_it_answers_again(
    watch: Watch, impatient: None, frozen: dict[str, Any]
) -> None:
    statement = Statement("SELECT pg_sleep(30)")
    look_until(watch, lambda: any(wait.connection for wait in watch._waits))
    params, watch._params = watch._params, frozen
    look_until(watch, lambda: not statement.is_alive())
    assert "the database did not answer within" in statement.error
    # What comes now is refused without a wait, be the connection open or not.
    with pytest.raises(OperationalError, match="has not answered for"):
        connection.cursor().execute("SELECT 1")
    watch._params = params
    connection.close()
    with pytest.raises(OperationalError, match="has not answered for"):
        connection.ensure_connection()
    watch._drop_question()
    look_until(watch, lambda: watch.silent_since is None)
    connection.ensure_connection()


def test_server_that_answers_others_is_not_silent(
    watch: Watch, impatient: None, frozen: dict[str, Any]
) -> None:
    statement = Statement("SELECT pg_sleep(0.5)")
    look_until(watch, lambda: any(wait.connection for wait in watch._waits))
    watch._params = frozen
    while statement.is_alive():
        watch.look()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if watch._question:
            watch._answered_at[None] = watch._question.begun + 1
    assert statement.error == ""
    assert watch.silent_since is None


def test_statements_at_a_silent_host_are_cut_off_while_another_host_serves(
    watch: Watch, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = connection.connection.place
    monkeypatch.setattr(silence, "ANSWER_SECONDS", 30.0)
    monkeypatch.setattr(Question, "silent_places", lambda _question: frozenset([place]))
    statement = Statement("SELECT pg_sleep(30)")
    look_until(watch, lambda: not statement.is_alive())
    assert "the database did not answer within" in statement.error
    assert (watch.silent_since, watch.silent_places) == (None, {place})
    assert not connection.is_usable()


def test_failure_to_ask_does_not_end_the_watch(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 3:
            raise SystemExit
        raise OSError("too many open files")

    monkeypatch.setattr(silence, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(watch, "look", look)
    with pytest.raises(SystemExit):
        Watch._look_on(watch)
    assert len(looks) == 3


def test_command_says_whose_lock_it_waits_for_and_gives_up_at_last(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SAY_AFTER_SECONDS", "SAY_AGAIN_SECONDS", "LOCK_SECONDS"):
        monkeypatch.setattr(silence, name, 0.02)
    watch.announces = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(231), pg_backend_pid()")
        holder = cursor.fetchone()[1]
    statement = Statement("SELECT pg_advisory_lock(231)")
    look_until(watch, lambda: not statement.is_alive())
    assert "the database did not answer within" in statement.error
    said = capsys.readouterr().err
    assert f"Waiting for a lock that session {holder} of the database holds (" in said
    assert "SELECT pg_advisory_lock(231), pg_backend_pid()" in said


def test_command_says_that_its_commit_waits_for_a_standby_and_gives_up(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(silence, "SAY_AFTER_SECONDS", 0.02)
    monkeypatch.setattr(silence, "STANDBY_SECONDS", 0.1)
    # What waits for a standby needs two servers: here, whatever sleeps counts as such.
    monkeypatch.setattr(commits, "_WAITS", commits._WAITS.replace("SyncRep", "PgSleep"))
    watch.announces = True
    statement = Statement("SELECT pg_sleep(30)")
    look_until(watch, lambda: not statement.is_alive())
    assert "the database did not answer within" in statement.error
    assert "Waiting for a standby to confirm a commit" in capsys.readouterr().err


def test_command_says_nothing_of_a_long_statement(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(silence, "SAY_AFTER_SECONDS", 0.02)
    watch.announces = True
    statement = Statement("SELECT pg_sleep(0.3)")
    look_until(watch, lambda: not statement.is_alive())
    assert (statement.error, capsys.readouterr().err) == ("", "")


def test_silent_server_is_an_error_of_the_database(watch: Watch) -> None:
    watch.silent_since = time.monotonic()
    with pytest.raises(Silent) as raised:
        watch.begin(None)
    assert isinstance(raised.value, psycopg2.OperationalError)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forked_process_watches_anew(watch: Watch) -> None:
    watch.begin(None)
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        watch._begin_anew()
        os.write(writing, f"{len(watch._waits)} {watch._thread}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reading, 100) == b"0 None"
    os.close(reading)
    os.close(writing)


def test_connection_lets_go_of_its_descriptor(watch: Watch) -> None:
    connection.ensure_connection()
    line = connection.connection._line
    assert os.fstat(line)
    connection.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(line)


@pytest.fixture
def of_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this server play a coordinator, with a list of its workers' other addresses."""
    monkeypatch.setattr("alliance.database.cluster.is_distributed", lambda **using: True)
    execute_as_owner("CREATE TABLE pg_dist_poolinfo (nodeid integer, poolinfo text)")
    yield
    execute_as_owner("DROP TABLE pg_dist_poolinfo")


@pytest.mark.one_server("it pretends to have the table of a cluster's addresses")
@pytest.mark.usefixtures("of_cluster")
def test_what_waits_since_before_a_worker_was_fenced_off_is_cut_off(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ASK_AFTER_SECONDS", "ASK_AGAIN_SECONDS", "TICK_SECONDS"):
        monkeypatch.setattr(silence, name, 0.02)
    older = Statement("SELECT pg_sleep(30)")
    execute_as_owner("INSERT INTO pg_dist_poolinfo VALUES (2, 'host=pooler')")
    for _look in range(20):
        watch.look()
        time.sleep(0.01)
    assert older.is_alive()
    execute_as_owner(f"INSERT INTO pg_dist_poolinfo VALUES (3, '{NOWHERE}')")
    look_until(watch, lambda: not older.is_alive())
    assert "did not answer" in older.error
    # This thread's connection is as old; those of later cannot wait for that worker.
    assert not connection.is_usable()
    connection.close()
    younger = Statement("SELECT pg_sleep(0.3)")
    look_until(watch, lambda: not younger.is_alive())
    assert younger.error == ""
    execute_as_owner("DELETE FROM pg_dist_poolinfo")


@pytest.mark.one_server("it pretends to have the table of a cluster's addresses")
@pytest.mark.usefixtures("of_cluster")
def test_a_program_that_begins_behind_a_fence_waits_for_what_is_slow(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ASK_AFTER_SECONDS", "ASK_AGAIN_SECONDS", "TICK_SECONDS"):
        monkeypatch.setattr(silence, name, 0.02)
    execute_as_owner(f"INSERT INTO pg_dist_poolinfo VALUES (3, '{NOWHERE}')")
    # As in a new process, which has had no connection yet.
    watch._begin_anew()
    connection.close()
    first = Statement("SELECT pg_sleep(0.3)")
    look_until(watch, lambda: not first.is_alive())
    assert first.error == ""
    execute_as_owner("DELETE FROM pg_dist_poolinfo")
