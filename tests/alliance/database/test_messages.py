"""Statements without an answer travel with the next one: fewer messages, the same transactions."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DataError, IntegrityError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from alliance.database import cluster
from alliance.database.postgresql import silence
from alliance.database.postgresql.commits import Unconfirmed
from alliance.database.postgresql.messages import Unanswered, as_sent
from alliance.models import City
from alliance.tenancy import SETTING, Scope, in_index_order, limited, raw_rows, rows_in, scope

pytestmark = pytest.mark.django_db(transaction=True)
EVERYTHING = f"SET LOCAL {SETTING} = 'all'"
CURRENT = f"SELECT current_setting('{SETTING}', true)"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The messages that are sent from now on."""
    messages: list[str] = []
    execute = silence.Cursor.execute

    def note(self: silence.Cursor, query: Any, vars: Any = None) -> None:
        messages.append(query)
        execute(self, query, vars)

    connection.ensure_connection()
    monkeypatch.setattr(silence.Cursor, "execute", note)
    return messages


@pytest.fixture
def on_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have statements sent as if the tables were distributed."""
    connection.ensure_connection()
    monkeypatch.setattr(cluster, "is_distributed", lambda **_using: True)
    monkeypatch.setattr(connection.connection, "is_distributed", True)


def test_a_transaction_begins_with_its_first_statement(sent: list[str]) -> None:
    with scope(Scope.everything()):
        assert raw_rows("SELECT 1") == [(1,)]
    settings = as_sent(EVERYTHING, is_distributed=cluster.is_distributed())
    assert sent == [f"BEGIN; {settings}; SELECT 1", "COMMIT"]


def test_nothing_is_sent_for_a_transaction_without_a_statement(sent: list[str]) -> None:
    with scope(Scope.everything()), transaction.atomic():
        pass
    with pytest.raises(ZeroDivisionError), scope(Scope.everything()):
        raise ZeroDivisionError
    assert sent == []


def test_what_was_put_off_and_writes_is_sent_with_the_commit(sent: list[str]) -> None:
    with scope(Scope.everything()), connection.cursor() as cursor:
        cursor.execute(Unanswered("DELETE FROM alliance_auditentry WHERE id = 0"))
    [message] = sent
    assert message.startswith("BEGIN; ")
    assert message.endswith("; DELETE FROM alliance_auditentry WHERE id = 0; COMMIT")


def test_statement_outside_commits_itself_and_what_waits_goes_on_waiting(sent: list[str]) -> None:
    with scope(Scope.everything()):
        with connection.connection.outside():
            raw_rows("SELECT 1")
        raw_rows("SELECT 2")
        assert not connection.connection.has_only_settings()
    settings = as_sent(EVERYTHING, is_distributed=cluster.is_distributed())
    assert sent == ["SELECT 1", f"BEGIN; {settings}; SELECT 2", "COMMIT"]


def test_statement_outside_beside_which_the_server_warns_is_not_confirmed() -> None:
    with scope(Scope.everything()):
        with pytest.raises(Unconfirmed, match="no standby"), connection.connection.outside():
            raw_rows("DO $$ BEGIN RAISE WARNING 'no standby'; END $$")
        assert raw_rows(CURRENT) == [("all",)]


def test_savepoints_are_made_and_released_with_the_next_statement(sent: list[str]) -> None:
    with transaction.atomic():
        with transaction.atomic():
            raw_rows("SELECT 1")
        raw_rows("SELECT 2")
    create, release, end = sent
    assert create.startswith("BEGIN; SAVEPOINT ")
    assert create.endswith("; SELECT 1")
    assert release.startswith("RELEASE SAVEPOINT ")
    assert release.endswith("; SELECT 2")
    assert end == "COMMIT"


def test_the_savepoint_of_a_first_statement_that_fails_is_rolled_back_to(hangzhou: City) -> None:
    with scope(Scope.everything()):
        with pytest.raises(IntegrityError), transaction.atomic():
            City.objects.create(code=hangzhou.code, latitude=0, longitude=0)
        assert raw_rows(CURRENT) == [("all",)]
        City.objects.filter(pk=hangzhou.pk).update(population=7)
    assert City.objects.get(pk=hangzhou.pk).population == 7


def test_what_waited_for_a_statement_that_was_never_run_waits_for_the_next(sent: list[str]) -> None:
    with scope(Scope.everything()):
        with pytest.raises(ProgrammingError):
            # Refused before anything of the message is run.
            raw_rows("SELEC 1")
        assert raw_rows(CURRENT) == [("all",)]
    assert raw_rows(CURRENT) in ([(None,)], [("",)])


def test_an_inner_scope_ends_with_its_block() -> None:
    with scope(Scope.everything()):
        with scope(Scope.merchant(7)):
            assert raw_rows(CURRENT) == [("merchant:7",)]
        assert raw_rows(CURRENT) == [("all",)]


def test_percent_signs_stay_what_they_are(sent: list[str]) -> None:
    with scope(Scope.key("50%")):
        assert raw_rows(f"{CURRENT}, %s", ["5 %"]) == [("key:50%", "5 %")]
    with scope(Scope.key("50%")):
        assert raw_rows(f"{CURRENT}, '5 %'") == [("key:50%", "5 %")]


def test_captured_statements_are_the_ones_that_were_asked_for() -> None:
    with CaptureQueriesContext(connection) as queries, scope(Scope.everything()):
        raw_rows("SELECT %s", ["x"])
    assert [query["sql"] for query in queries] == ["BEGIN", EVERYTHING, "SELECT 'x'", "COMMIT"]


def test_settings_go_to_a_function_on_a_cluster(on_cluster: None, sent: list[str]) -> None:
    with scope(Scope.merchant(7)), in_index_order():
        assert raw_rows(CURRENT) == [("merchant:7",)]
    settings = "SET LOCAL alliance.scope = ''merchant:7''; SET LOCAL enable_mergejoin = off"
    order = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off"
    calls = f"SELECT alliance_settings('{settings}'); SELECT alliance_settings('{order}')"
    assert sent[0] == f"BEGIN; {calls}; {CURRENT}"


def test_a_scope_of_one_query_goes_to_a_function_on_a_cluster(on_cluster: None, sent: list[str]) -> None:
    with limited(statement_seconds=2, lock_seconds=1):
        assert rows_in(Scope.parcel(7), f"{CURRENT}, %s", ["5 %"]) == [("parcel:7", "5 %")]
    limits = "SET LOCAL statement_timeout = 2000; SET LOCAL lock_timeout = 1000"
    settings = f"{limits}; SET LOCAL alliance.scope = ''parcel:7''"
    assert sent == [f"SELECT alliance_settings('{settings}'); {CURRENT}, %s"]
    assert raw_rows(CURRENT) in ([(None,)], [("",)])


def test_a_change_of_the_schema_travels_alone_on_a_cluster(on_cluster: None, sent: list[str]) -> None:
    create = "CREATE TEMPORARY TABLE alone (id int) ON COMMIT DROP"
    with scope(Scope.everything()):
        raw_rows(create)
    settings = "SELECT alliance_settings('SET LOCAL alliance.scope = ''all''')"
    assert sent == [f"BEGIN; {settings}", create, "COMMIT"]


@pytest.mark.parametrize(
    "text",
    [
        "SET LOCAL role = postgres",
        "SET alliance.scope = 'all'",
        "SET LOCAL alliance.scope = 'all' || 'x'",
        "SET LOCAL enable_sort = off; SELECT 1",
        r"SET LOCAL alliance.scope = 'a\'",
        " ",
    ],
)
def test_the_function_of_settings_takes_nothing_else(text: str) -> None:
    with transaction.atomic():
        with pytest.raises(DataError, match="takes no"), transaction.atomic():
            raw_rows("SELECT alliance_settings(%s)", [text])
        assert raw_rows(CURRENT) in ([(None,)], [("",)])


def test_scopes_nest_and_end_on_a_cluster_as_on_one_server(on_cluster: None) -> None:
    with scope(Scope.key("it's 50%")):
        with scope(Scope.merchant(7)):
            assert raw_rows(CURRENT) == [("merchant:7",)]
        assert raw_rows(CURRENT) == [("key:it's 50%",)]
        with pytest.raises(DataError), scope(Scope.courier(8)):
            raw_rows(f"SELECT ({CURRENT})::int")
        assert raw_rows(CURRENT) == [("key:it's 50%",)]
    assert raw_rows(CURRENT) in ([(None,)], [("",)])
