"""Statements without an answer travel with the next one: fewer messages, the same transactions."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from alliance.database.postgresql import silence
from alliance.models import City
from alliance.tenancy import SETTING, Scope, raw_rows, scope

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


def test_a_transaction_begins_with_its_first_statement(sent: list[str]) -> None:
    with scope(Scope.everything()):
        assert raw_rows("SELECT 1") == [(1,)]
    assert sent == [f"BEGIN; {EVERYTHING}; SELECT 1", "COMMIT"]


def test_nothing_is_sent_for_a_transaction_without_a_statement(sent: list[str]) -> None:
    with scope(Scope.everything()), transaction.atomic():
        pass
    with pytest.raises(ZeroDivisionError), scope(Scope.everything()):
        raise ZeroDivisionError
    assert sent == []


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
