"""Without Redis, sessions, rate limits and pages keep working, without waiting for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.test import Client
from redis.exceptions import RedisError
from rest_framework.test import APIClient

from alliance.api import throttling
from alliance.web import caching
from tests.factories import PASSWORD


@pytest.fixture
def away(settings: Any) -> Iterator[BaseCache]:
    """A cache without a server."""
    throttling._redis.cache_clear()
    throttling.forget()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    yield caches["default"]
    throttling._redis.cache_clear()
    throttling.forget()


def test_reads_find_nothing_and_writes_do_nothing(away: BaseCache) -> None:
    away.set("name", 1)
    assert away.get("name", 7) == 7
    assert away.get_many(["name"]) == {}
    assert "name" not in away
    assert away.set_many({"name": 1}) == ["name"]
    assert away.touch("name") is False
    assert away.delete("name") is False
    assert away.get_or_set("name", 5) == 5


def test_counting_raises_an_error(away: BaseCache) -> None:
    with pytest.raises(RedisError):
        away.incr("name")


def test_failed_server_is_skipped_for_a_moment(away: BaseCache, monkeypatch: pytest.MonkeyPatch) -> None:
    away.get("name")
    reads: list[int] = []
    monkeypatch.setattr(away._class, "get", lambda *_given: reads.append(1))
    away.get("name")
    assert reads == []
    monkeypatch.setattr(caching, "RETRY_AFTER_SECONDS", 0.0)
    away._rests_until = 0.0
    away.get("name")
    assert reads == [1]


@pytest.mark.django_db
def test_people_log_in_and_work_without_it(merchant_user: Any, away: BaseCache) -> None:
    client = Client()
    response = client.post("/accounts/login/", {"login": merchant_user.email, "password": PASSWORD})
    assert response.status_code == 302, response.content[:300]
    assert client.get("/parcels/").status_code == 200
    assert client.get("/track/CA17ZYVECCRZR557/").status_code == 404


@pytest.mark.django_db
@pytest.mark.usefixtures("in_one_minute")
def test_calls_are_limited_without_it_by_each_process(
    merchant_api: APIClient, courier_api: APIClient, away: BaseCache, settings: Any
) -> None:
    settings.API_RATE_PER_MINUTE = 2
    answers = [merchant_api.get("/api/v1/tiers").status_code for _call in range(3)]
    assert answers == [200, 200, 429]
    assert courier_api.get("/api/v1/tiers").status_code == 200
