"""Of several hosts the one that can be written to is found; what became read-only is dropped."""

import socket
from collections.abc import Iterator

import psycopg2
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from alliance import health
from alliance.database.owner import as_owner
from alliance.database.postgresql import commits, hosts, silence
from alliance.database.postgresql.commits import CONFIRMATION
from alliance.database.postgresql.questions import Question
from alliance.database.postgresql.silence import Demoted
from alliance.health import note_heartbeat
from alliance.models import Heartbeat
from alliance.tenancy import raw_rows

pytestmark = pytest.mark.django_db(transaction=True)


def closed_port() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture
def frozen_port() -> Iterator[str]:
    """Where connections are accepted and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture(autouse=True)
def one_host_again() -> Iterator[None]:
    before = connection.settings_dict
    yield
    connection.close()
    connection.settings_dict = before
    CONFIRMATION.is_doubtful = False
    silence.WATCH.silent_places = frozenset()


def connect_behind(*ports: str, **options: str) -> hosts.Place:
    """Open the test's connection by a list of hosts, those on these ports before the real one; return it."""
    connection.close()
    found = connection.settings_dict
    real = (found["HOST"], found["PORT"])
    places = [*(("127.0.0.1", port) for port in ports), real]
    listed = dict(zip(("HOST", "PORT"), map(",".join, zip(*places, strict=True)), strict=True))
    wanted = {"target_session_attrs": "read-write", **options}
    connection.settings_dict = {**found, **listed, "OPTIONS": wanted}
    connection.ensure_connection()
    return real


def test_host_that_serves_is_found_behind_a_dead_one_and_tried_first_from_then_on() -> None:
    real = connect_behind(closed_port())
    assert connection.connection.place == real
    params = connection.get_connection_params()
    assert hosts.in_order(params, silent=frozenset())[0] == real
    assert hosts.in_order(params, silent=frozenset([real]))[-1] == real


def test_host_that_can_only_be_read_is_none_to_connect_to() -> None:
    with pytest.raises(OperationalError, match="can only be read"):
        connect_behind(closed_port(), options="-c default_transaction_read_only=on")


def test_pooler_without_a_server_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [psycopg2.OperationalError("server login has been failing"), False]

    def ask(_connection: object) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("alliance.database.postgresql.base._is_read_only", ask)
    real = connect_behind()
    connection.settings_dict |= {"HOST": f"{real[0]},{real[0]}", "PORT": f"{real[1]},{real[1]}"}
    connection.close()
    connection.ensure_connection()
    assert answers == []


def test_memory_of_a_pooler_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pooler reported at the start may be of the time when its server was a standby."""
    connect_behind(closed_port())
    monkeypatch.setattr(connection.connection, "_reported", [True, True])
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    assert connection.is_usable()


def test_question_is_answered_by_any_host_that_serves_and_names_the_silent_ones(frozen_port: str) -> None:
    connect_behind()
    params = connection.get_connection_params()
    real = hosts.places_of(params)[0]
    silent = ("127.0.0.1", frozen_port)
    question = Question(params | {"host": f"127.0.0.1,{real[0]}", "port": f"{frozen_port},{real[1]}"})
    assert question.is_answered(10)
    assert (question.serving_place, question.silent_places()) == (real, {silent})
    question.close()


def test_question_is_not_answered_while_one_host_refuses_and_another_is_silent(frozen_port: str) -> None:
    ports = f"{frozen_port},{closed_port()}"
    question = Question(connection.get_connection_params() | {"host": "127.0.0.1,127.0.0.1", "port": ports})
    assert not question.is_answered(0.05)
    assert question.silent_places() == {("127.0.0.1", frozen_port)}
    question.close()


def test_open_connection_to_a_silent_host_is_given_up_while_another_host_serves() -> None:
    real = connect_behind(closed_port())
    silence.WATCH.silent_places = frozenset([real])
    assert not connection.is_usable()
    with pytest.raises(OperationalError, match="does not answer"), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.close()
    # It is the only one that serves; being connected to, it is silent no more.
    connection.ensure_connection()
    assert silence.WATCH.silent_places == frozenset()
    assert connection.is_usable()


def test_write_to_a_demoted_server_is_an_outage_and_ends_the_connection() -> None:
    raw_rows("SELECT 1")
    demoted = connection.connection
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with pytest.raises(OperationalError) as raised, transaction.atomic():
        note_heartbeat("drill")
    assert isinstance(raised.value.__cause__, Demoted)
    connection.close_if_unusable_or_obsolete()
    note_heartbeat("drill")
    assert connection.connection is not demoted


def test_connection_that_reports_to_be_read_only_is_not_usable() -> None:
    raw_rows("SELECT 1")
    assert connection.is_usable()
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    assert not connection.is_usable()


def demote(*_arguments: object, **_named: object) -> None:
    """Write to what can only be read, be it in a transaction or not."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        if connection.in_atomic_block:
            cursor.execute("SET TRANSACTION READ ONLY")
    note_heartbeat("drill")


def test_call_to_a_demoted_server_is_a_problem_503_with_a_time(
    merchant_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.api.parcels.book_parcels", demote)
    merchant_api.raise_request_exception = False
    response = merchant_api.post("/api/v1/parcels/batch", [{}])
    assert (response.status_code, response["Content-Type"]) == (503, "application/problem+json")
    assert int(response["Retry-After"]) >= 2


def test_page_of_a_demoted_server_is_503_with_a_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parcels.portal.tracking.look_up", demote)
    client.raise_request_exception = False
    response = client.get("/track/CA17ZYVECCRZR557/")
    assert response.status_code == 503
    assert int(response["Retry-After"]) >= 2
    assert "temporarily unavailable" in response.content.decode()


def test_server_that_can_only_be_read_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    assert health._database() == {"ok": False, "detail": "read-only"}
    # The next look is on another connection.
    connection.close_if_unusable_or_obsolete()
    connection.close()
    assert health._database() == {"ok": True}


# --- commits that no standby confirms ----------------------------------------------------------


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commits wait for a standby."""
    monkeypatch.setattr(commits, "_WAITING", "SELECT pg_current_xact_id_if_assigned() IS NULL, 2")


def test_after_a_commit_was_cut_off_others_are_not_begun_while_any_waits(waiting: None) -> None:
    CONFIRMATION.is_doubtful = True
    with pytest.raises(OperationalError, match="2 commits wait for a standby"), transaction.atomic():
        note_heartbeat("drill")
    assert not Heartbeat.objects.filter(name="drill").exists()
    # What only reads goes on.
    with transaction.atomic():
        assert Heartbeat.objects.count() == 0
    assert CONFIRMATION.is_doubtful


def test_commits_go_on_once_none_waits() -> None:
    CONFIRMATION.is_doubtful = True
    with transaction.atomic():
        note_heartbeat("drill")
    assert not CONFIRMATION.is_doubtful
    assert Heartbeat.objects.filter(name="drill").exists()


def test_not_ready_while_commits_wait_for_a_standby(waiting: None) -> None:
    assert health._database() == {"ok": False, "detail": "commits wait for a standby", "waiting": 2}


def test_request_waits_for_its_commit_for_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence.WATCH, "limit", 20.0)
    with silence.WATCH.waiting(None, at_most=5.0):
        assert [wait.limit for wait in silence.WATCH._waits] == [5.0]
    monkeypatch.setattr(silence.WATCH, "limit", None)
    with silence.WATCH.waiting(None, at_most=5.0):
        assert [wait.limit for wait in silence.WATCH._waits] == [None]


def test_commit_that_the_server_warned_of_is_not_confirmed() -> None:
    """As when somebody cancels its wait for a standby: it is made, and may be lost."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE drill (id integer)")
        cursor.execute(
            "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE WARNING 'not replicated'; RETURN NULL; END $$"
        )
        cursor.execute(
            "CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON drill"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()"
        )
        try:
            with pytest.raises(OperationalError, match="not replicated"), transaction.atomic():
                cursor.execute("INSERT INTO drill VALUES (1)")
        finally:
            cursor.execute("DROP TABLE drill")
            cursor.execute("DROP FUNCTION warn")
