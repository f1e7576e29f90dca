"""A POST with an Idempotency-Key sent twice creates once, with the same response."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.idempotency import forget_old, idempotent
from alliance.errors import Conflict, InvalidInput
from alliance.models import IdempotentRequest
from alliance.tenancy import Actor, Scope, scope


def _request(actor: Actor, key: str, body: str = "{}") -> Request:
    request = RequestFactory().post(
        "/", body, content_type="application/json", headers={"Idempotency-Key": key}
    )
    request.actor = actor
    return Request(request, parsers=[JSONParser()])


def _work(calls: list[int]) -> Callable[[], tuple[int, dict[str, int]]]:
    def work() -> tuple[int, dict[str, int]]:
        calls.append(1)
        return 201, {"number": len(calls)}

    return work


def _send(actor: Actor, key: str, calls: list[int], body: str = "{}") -> Response:
    with scope(Scope.of(actor)):
        return idempotent(_request(actor, key, body), "test", _work(calls))


@pytest.mark.django_db
def test_second_request_replays_the_first_answer(merchant: Actor) -> None:
    calls: list[int] = []
    first, second = _send(merchant, "k1", calls), _send(merchant, "k1", calls)
    assert calls == [1]
    assert (second.status_code, second.data) == (201, {"number": 1}) == (first.status_code, first.data)
    assert second["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_same_key_with_another_body_is_refused(merchant: Actor) -> None:
    _send(merchant, "k1", [])
    with pytest.raises(InvalidInput) as raised:
        _send(merchant, "k1", [], body='{"other": 1}')
    assert raised.value.reason == "idempotency_key_reused"


@pytest.mark.django_db
def test_keys_belong_to_their_organisation(merchant: Actor, courier: Actor) -> None:
    calls: list[int] = []
    _send(merchant, "k1", calls)
    _send(courier, "k1", calls)
    assert calls == [1, 1]


@pytest.mark.django_db
def test_work_that_fails_stores_nothing(merchant: Actor) -> None:
    def fails() -> tuple[int, dict[str, int]]:
        raise Conflict

    with pytest.raises(Conflict), scope(Scope.of(merchant)):
        idempotent(_request(merchant, "k1"), "test", fails)
    calls: list[int] = []
    _send(merchant, "k1", calls)
    assert calls == [1]


@pytest.mark.django_db
def test_an_overlong_key_is_refused(merchant: Actor) -> None:
    with pytest.raises(InvalidInput):
        _send(merchant, "k" * 256, [])


@pytest.mark.django_db
def test_answers_are_forgotten_after_a_day(merchant: Actor) -> None:
    calls: list[int] = []
    _send(merchant, "k1", calls)
    with scope(Scope.everything()):
        IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
        assert forget_old(now=timezone.now()) == 1
    _send(merchant, "k1", calls)
    assert calls == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_second_request_while_the_first_runs_is_a_conflict(merchant: Actor) -> None:
    inside, go_on = threading.Event(), threading.Event()
    answers: list[int] = []

    def slow() -> tuple[int, dict[str, int]]:
        inside.set()
        go_on.wait(10)
        return 201, {}

    def first() -> None:
        with scope(Scope.of(merchant)):
            answers.append(idempotent(_request(merchant, "k1"), "test", slow).status_code)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with pytest.raises(Conflict) as raised:
        _send(merchant, "k1", [])
    go_on.set()
    thread.join(10)
    assert raised.value.reason == "idempotency_key_in_use"
    assert answers == [201]
