"""Calls of statements at home are made again where a shard has moved to."""

import pytest
from django.db import DatabaseError, connection

from alliance.database import at_home, cluster
from alliance.errors import Unavailable
from alliance.tenancy import Scope, raw_rows, scope

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_home, "is_distributed", lambda **_: True)
    monkeypatch.setattr(at_home, "_PAUSE", 0)


def fail(code: str) -> None:
    raw_rows(f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{code}'; END $$")


@pytest.mark.parametrize("has_begun", [False, True])
def test_call_that_came_too_late_is_made_again_in_the_same_scope(has_begun: bool) -> None:
    calls: list[str] = []

    def work() -> list[tuple[str]]:
        raw_rows("CREATE TEMP TABLE once () ON COMMIT DROP")
        calls.append(raw_rows("SHOW alliance.scope")[0][0])
        if len(calls) < 3:
            fail(cluster.MOVED)
        return raw_rows("SHOW alliance.scope")

    with scope(Scope.courier(7)):
        if has_begun:
            raw_rows("CREATE TEMP TABLE kept AS SELECT 5 AS n")
        assert at_home.where_shards_are(work) == [("courier:7",)]
        assert connection.in_atomic_block
    assert calls == ["courier:7"] * 3
    if has_begun:
        assert raw_rows("SELECT n FROM kept") == [(5,)]


def test_caller_is_told_to_come_again_if_shards_keep_moving() -> None:
    with scope(Scope.courier(7)):
        with pytest.raises(Unavailable):
            at_home.where_shards_are(lambda: fail(cluster.MOVED))
        assert raw_rows("SELECT 1") == [(1,)]


def test_other_failures_are_the_callers() -> None:
    calls: list[None] = []
    with pytest.raises(DatabaseError, match="no"), scope(Scope.courier(7)):
        at_home.where_shards_are(lambda: (calls.append(None), fail("22000")))
    assert len(calls) == 1
