"""Figures of all shards are kept for seconds on a cluster, and no page fails for one."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.db import OperationalError

from alliance import figures
from alliance.figures import kept, unless_away
from alliance.tenancy import Actor, Scope, raw_rows, scope

pytestmark = pytest.mark.django_db
MERCHANT = Actor(kind="user", organisation_id=7, organisation_kind="merchant")
OTHER = Actor(kind="user", organisation_id=8, organisation_kind="merchant")


@pytest.fixture
def on_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(figures, "is_distributed", lambda: True)


def counting(start: int) -> Callable[[], int]:
    numbers = iter(range(start, start + 9))
    return lambda: next(numbers)


def away() -> int:
    # The server refuses it, as it does what a worker that is away would answer.
    raw_rows("DO $$ BEGIN RAISE EXCEPTION 'away' USING ERRCODE = '08006'; END $$")
    return 0


def test_one_server_counts_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "is_distributed", lambda: False)
    count = counting(1)
    assert [kept("x", MERCHANT, count, otherwise=0) for _time in range(2)] == [1, 2]
    with pytest.raises(OperationalError), scope(Scope.everything()):
        unless_away(away, otherwise=0)


def test_figure_is_counted_once_for_each_reader(on_cluster: None) -> None:
    count = counting(1)
    assert [kept("x", MERCHANT, count, otherwise=0) for _time in range(2)] == [1, 1]
    assert kept("x", OTHER, count, otherwise=0) == 2
    assert kept("y", MERCHANT, count, otherwise=0) == 3


def test_last_figure_is_shown_while_a_worker_is_away(
    on_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scope(Scope.everything()):
        assert kept("x", MERCHANT, away, otherwise=0) == 0
        assert kept("x", MERCHANT, counting(5), otherwise=0) == 5
        monkeypatch.setattr(figures, "SECONDS", 0.0)
        assert kept("x", MERCHANT, away, otherwise=0) == 5
        # The transaction goes on, in its scope.
        assert raw_rows("SELECT current_setting('alliance.scope')") == [("all",)]
        assert kept("x", MERCHANT, counting(6), otherwise=0) == 6
