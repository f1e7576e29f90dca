"""Calls are counted together by all processes, which add them to Redis in groups."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from alliance.api import throttling
from alliance.api.throttling import MOST_PENDING, WINDOW, take

NOON = 1_800_000_000.0


@pytest.fixture(autouse=True)
def minute(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(throttling.time, "time", lambda: NOON)
    cache.clear()
    throttling.forget()
    yield
    throttling.forget()


@pytest.fixture
def increments(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of calls of each update of Redis."""
    increments: list[int] = []
    add_to_redis = throttling._add_to_redis

    def listening(count: Any, name: str, calls: int) -> int:
        increments.append(calls)
        return add_to_redis(count, name, calls)

    monkeypatch.setattr(throttling, "_add_to_redis", listening)
    return increments


def elsewhere(bucket: str, calls: int) -> None:
    """Add calls like another process."""
    throttling._redis().incrby(cache.make_key(f"rate:{bucket}:{int(NOON // WINDOW)}"), calls)


@pytest.mark.parametrize("limit", [1, 2, 60, 1200])
def test_alone_exactly_the_limit_is_let_through(limit: int) -> None:
    left = [take("one", limit)[0] for _call in range(limit + 2)]
    assert left == list(range(limit - 1, -3, -1))


def test_small_limits_are_counted_together_call_by_call(increments: list[int]) -> None:
    assert take("small", 2)[0] == 1
    elsewhere("small", 1)
    assert take("small", 2)[0] < 0
    assert increments == [1, 1]


def test_calls_of_a_large_limit_are_added_in_groups(increments: list[int]) -> None:
    for _call in range(4 * MOST_PENDING - 1):
        take("large", 1200)
    assert increments == [MOST_PENDING, MOST_PENDING, MOST_PENDING]


def test_who_calls_rarely_is_counted_without_redis(increments: list[int]) -> None:
    assert [take(f"tracking:192.0.2.{host}", 60)[0] for host in range(100)] == [59] * 100
    assert take("tracking:192.0.2.1", 60)[0] == 58
    assert increments == []


def test_calls_of_others_are_known_after_one_group(increments: list[int]) -> None:
    elsewhere("large", 1200)
    left = [take("large", 1200)[0] for _call in range(2 * MOST_PENDING)]
    assert [value for value in left if value >= 0] == left[: MOST_PENDING - 1]


def test_each_bucket_and_each_minute_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert take("one", 2)[0] == 1
    assert take("other", 2)[0] == 1
    monkeypatch.setattr(throttling.time, "time", lambda: NOON + WINDOW)
    assert take("one", 2) == (1, WINDOW)
