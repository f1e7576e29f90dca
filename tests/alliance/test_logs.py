"""What is logged: one line a request, and of an outage one traceback a minute."""

import io
import logging
from typing import Any

import pytest
import structlog
from django.db import OperationalError
from django.test import Client
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.test import APIClient

from alliance import logs
from alliance.errors import TooLarge
from alliance.models import User

BEGINS_A_TRACEBACK = "Traceback (most recent call last)"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """All that is logged, as in a terminal, with no traceback yet."""
    logs._outages.forget()
    structured = logs.logging_config("INFO", as_json=False)["formatters"]["structured"]
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    options = {name: value for name, value in structured.items() if name != "()"}
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**options))
    handler.addFilter(logs.WithoutPolls())
    handler.addFilter(logs.WithoutRepeats())
    # Instead of the product's own: one line is one line of one handler.
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    return output


def raising(error: Exception) -> Any:
    def view(*_arguments: object, **_named: object) -> None:
        raise type(error)(*error.args)

    return view


def lines_of(log: io.StringIO) -> list[str]:
    return [line for line in log.getvalue().splitlines() if line.startswith("20")]


@pytest.mark.django_db
def test_outage_is_one_line_a_request_and_one_traceback_a_kind(
    client: Client, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.raise_request_exception = False
    for error in (OperationalError("gone\nfor good"), RedisConnectionError("away")):
        monkeypatch.setattr("parcels.portal.tracking.look_up", raising(error))
        for _request in range(5):
            assert client.get("/track/CA17ZYVECCRZR557/").status_code == 503
    lines = lines_of(log)
    assert len(lines) == 10
    assert all("request_failed" in line and "code=503" in line for line in lines)
    assert log.getvalue().count(BEGINS_A_TRACEBACK) == 2
    assert sum("gone for good" in line for line in lines) == 4


@pytest.mark.django_db
def test_outage_of_a_call_is_one_line(
    merchant_api: APIClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.api.parcels.book_parcels", raising(OperationalError("gone")))
    merchant_api.raise_request_exception = False
    for _request in range(3):
        merchant_api.post("/api/v1/parcels/batch", [{}])
    assert len(lines_of(log)) == 3
    assert log.getvalue().count(BEGINS_A_TRACEBACK) == 1


@pytest.mark.django_db
def test_traceback_comes_again_after_a_while(
    client: Client, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "TRACEBACK_SECONDS", 0.0)
    monkeypatch.setattr("parcels.portal.tracking.look_up", raising(OperationalError("gone")))
    client.raise_request_exception = False
    for _request in range(2):
        client.get("/track/CA17ZYVECCRZR557/")
    assert log.getvalue().count(BEGINS_A_TRACEBACK) == 2


@pytest.mark.django_db
def test_bug_is_told_with_its_traceback_each_time(
    client: Client, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.portal.tracking.look_up", raising(ZeroDivisionError("a bug")))
    client.raise_request_exception = False
    for _request in range(2):
        client.get("/track/CA17ZYVECCRZR557/")
    assert len(lines_of(log)) == 2
    assert log.getvalue().count(BEGINS_A_TRACEBACK) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/readyz", "/nowhere/", "/healthz", "/api/v1/nowhere"])
def test_request_is_one_line_whatever_comes_of_it(client: Client, log: io.StringIO, path: str) -> None:
    client.get(path)
    assert len(lines_of(log)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status", "lines"),
    [("/admin/login/", 403, 1), ("/admin/alliance/organisation/?name__startswith=a", 400, 2)],
)
def test_refusal_has_no_traceback(
    path: str, status: int, lines: int, client: Client, merchant_user: User, ops_user: User, log: io.StringIO
) -> None:
    client.force_login(merchant_user if status == 403 else ops_user)
    assert client.get(path).status_code == status
    assert len(lines_of(log)) == lines
    assert BEGINS_A_TRACEBACK not in log.getvalue()


@pytest.mark.django_db
def test_request_refused_before_it_is_begun_is_one_line(
    client: Client, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alliance.web.middleware.take_in", raising(TooLarge("too large")))
    assert client.post("/accounts/login/", {}).status_code == 413
    assert len(lines_of(log)) == 1


def failing_task() -> None:
    try:
        raise OperationalError("gone")
    except OperationalError as error:
        raise ValueError("could not apply") from error


def test_failure_of_a_task_is_one_line_whoever_logs_it(log: io.StringIO) -> None:
    for _task in range(4):
        try:
            failing_task()
        except ValueError:
            structlog.get_logger("a").exception("task_failed")
            logging.getLogger("b").exception("Message Error: %s\n%s", "could not apply", ["a", "stack"])
    lines = lines_of(log)
    assert len(lines) == 4
    # That of the error, and that of the outage which it was raised because of.
    assert log.getvalue().count(BEGINS_A_TRACEBACK) == 2


def test_message_of_an_outage_is_one_line(log: io.StringIO) -> None:
    for _message in range(2):
        try:
            failing_task()
        except ValueError as error:
            logging.getLogger("b").error("Message Error: %s\n%s", error, ["a", "stack"], exc_info=error)
    assert [line.split("[b]")[0].split("] ")[1].strip() for line in lines_of(log)] == [
        "Message Error: could not apply"
    ] * 2
    assert "'stack'" not in log.getvalue()
