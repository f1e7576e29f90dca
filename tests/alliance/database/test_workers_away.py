"""A worker of a cluster that is away is an outage of what it holds. One server plays the coordinator here."""

from typing import Any

import pytest
from django.db import Error, InternalError, OperationalError

from alliance.database import cluster
from alliance.database.postgresql import silence
from alliance.tenancy import Scope, raw_rows, scope
from alliance.web.outages import outage_of

REFUSED = (
    "connection to the remote node alliance@10.0.0.2:5432 failed with the following error: Connection refused"
)


def fail(text: str, code: str) -> None:
    with scope(Scope.everything()):
        raw_rows(f"DO $$ BEGIN RAISE EXCEPTION $t${text}$t$ USING ERRCODE = '{code}'; END $$")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "code"),
    [
        (REFUSED, "08006"),
        ("could not establish any connections to the node 10.0.0.2:5432 after 3000 ms", "08006"),
        ("failure on connection marked as essential: 10.0.0.2:5432", "XX000"),
        ("failed to prepare transaction 'citus_0_1_2_0' on host 10.0.0.2:5432", "XX000"),
        ("could not commit transaction for shard 102008 on at least one active node", "XX000"),
        ("server closed the connection unexpectedly", "XX000"),
        ("terminating connection due to administrator command", "57P01"),
        ("shard 102008 has moved away from this node", cluster.MOVED),
    ],
)
def test_worker_that_is_away_is_an_outage_that_passes(text: str, code: str) -> None:
    with pytest.raises(Error) as raised:
        fail(text, code)
    outage = outage_of(raised.value)
    assert outage is not None
    assert (outage.status, outage.reason) == (503, "unavailable")
    assert outage.retry_after is not None
    assert outage.retry_after <= 4


@pytest.mark.django_db
def test_who_asked_for_what_it_holds_is_told_that_nothing_was_changed() -> None:
    with pytest.raises(Error) as raised:
        fail(REFUSED, "08006")
    assert "Nothing was changed" in str(outage_of(raised.value))


@pytest.mark.django_db
def test_worker_that_left_a_transaction_is_what_tasks_try_again_for() -> None:
    with pytest.raises(OperationalError):
        fail("failure on connection marked as essential: 10.0.0.2:5432", "XX000")


@pytest.mark.django_db
def test_another_internal_error_is_a_bug() -> None:
    with pytest.raises(InternalError) as raised:
        fail("cache lookup failed for relation 16384", "XX000")
    assert outage_of(raised.value) is None


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the server says beside COMMIT."""
    texts: list[str] = []
    execute = silence.Cursor.execute

    def saying(cursor: silence.Cursor, query: Any, vars: Any = None) -> None:
        execute(cursor, query, vars)
        if query == "COMMIT":
            cursor.connection.notices.extend(texts)

    monkeypatch.setattr(silence.Cursor, "execute", saying)
    return texts


@pytest.mark.django_db(transaction=True)
def test_commit_that_a_worker_did_not_answer_is_not_confirmed(said: list[str]) -> None:
    said.append("WARNING:  failed to commit transaction on 10.0.0.2:5432\n")
    refused = pytest.raises(OperationalError, match="failed to commit transaction on 10")
    with refused as raised, scope(Scope.everything()):
        raw_rows("SELECT 1")
    assert outage_of(raised.value) is not None


@pytest.mark.django_db(transaction=True)
def test_commit_with_a_notice_is_confirmed(said: list[str]) -> None:
    said.append("NOTICE:  issuing COMMIT\nDETAIL:  on server alliance@10.0.0.2:5432 connectionId: 3\n")
    with scope(Scope.everything()):
        assert raw_rows("SELECT 1") == [(1,)]


@pytest.mark.django_db
def test_one_server_has_no_workers_to_miss() -> None:
    assert cluster.missing_workers() == []
