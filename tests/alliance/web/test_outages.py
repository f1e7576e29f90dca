"""Outages are 503 with Retry-After, on pages and in the API."""

from typing import Any

import psycopg2
import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.transaction import TransactionManagementError
from django.http import UnreadablePostError
from django.test import Client
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.test import APIClient

from alliance.tenancy import Scope, limited, raw_rows, scope
from alliance.web.outages import outage_of


def raising(error: Exception) -> Any:
    def view(*_arguments: object, **_named: object) -> None:
        raise error

    return view


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error", [OperationalError("gone"), InterfaceError("closed"), RedisConnectionError()]
)
def test_page_whose_servers_are_away_is_503_with_a_time(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("parcels.portal.tracking.look_up", raising(error))
    client.raise_request_exception = False
    response = client.get("/track/CA17ZYVECCRZR557/")
    assert response.status_code == 503, response.content[:300]
    assert 2 <= int(response["Retry-After"]) <= 4
    assert "temporarily unavailable" in response.content.decode()


@pytest.mark.django_db
def test_call_whose_database_is_away_is_a_problem_503_with_a_time(
    merchant_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.api.parcels.book_parcels", raising(OperationalError("gone")))
    merchant_api.raise_request_exception = False
    response = merchant_api.post("/api/v1/parcels/batch", [{}])
    assert (response.status_code, response["Content-Type"]) == (503, "application/problem+json")
    assert response.json()["type"] == "urn:alliance:problem:unavailable"
    assert 2 <= int(response["Retry-After"]) <= 4


@pytest.mark.django_db(transaction=True)
def test_timeouts_of_statements_and_locks_end_with_the_transaction() -> None:
    with limited(statement_seconds=0.05, lock_seconds=3), scope(Scope.everything()):
        assert raw_rows("SHOW lock_timeout") == [("3s",)]
        with pytest.raises(OperationalError) as raised, scope(Scope.everything()):
            raw_rows("SELECT pg_sleep(10)")
        error = outage_of(raised.value)
        assert error is not None
        assert (error.status, error.reason) == (503, "busy")
    assert raw_rows("SHOW statement_timeout") == [("0",)]
    with scope(Scope.everything()):
        assert raw_rows("SHOW statement_timeout") == [("0",)]
    assert not connection.in_atomic_block


def test_connection_lost_without_a_message_is_an_outage() -> None:
    error = DatabaseError("error with status PGRES_TUPLES_OK and no message from the libpq")
    assert outage_of(error) is None
    error.__cause__ = psycopg2.DatabaseError()
    outage = outage_of(error)
    assert outage is not None
    assert outage.status == 503
    error.__cause__ = psycopg2.ProgrammingError()
    assert outage_of(error) is None


@pytest.mark.django_db
def test_transaction_that_an_outage_broke_is_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def view(*_arguments: object, **_named: object) -> None:
        raise TransactionManagementError("broken") from OperationalError("gone")

    monkeypatch.setattr("parcels.portal.tracking.look_up", view)
    client.raise_request_exception = False
    assert client.get("/track/CA17ZYVECCRZR557/").status_code == 503


def test_body_cut_off_is_the_senders_and_a_bug_is_ours() -> None:
    error = outage_of(UnreadablePostError())
    assert error is not None
    assert error.status == 400
    assert outage_of(ZeroDivisionError()) is None
    assert outage_of(None) is None
