"""Calls of statements at home are made again where a shard has moved to."""

from collections.abc import Iterator
from contextlib import nullcontext, suppress

import pytest
from django.db import DatabaseError, connection, transaction

from alliance.database import at_home, cluster
from alliance.database.shard_functions import Shards, texts_of
from alliance.database.stored_functions import StoredStatement
from alliance.errors import Unavailable
from alliance.tenancy import Scope, limited, raw_rows, scope
from tests.helpers.owner import execute_as_owner

pytestmark = pytest.mark.django_db(transaction=True)
pretends = pytest.mark.one_server("it pretends to have shards; tests/citus/test_writes.py has them")


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


# Returns what holds where it runs. A home below 100 is the shard of that number, any other has moved away.
WRITE = StoredStatement(
    "alliance_tried_alone",
    parameters={"home": "bigint", "courier_id": "bigint"},
    returns={"held": "text"},
    body="BEGIN RETURN current_setting('alliance.scope') || ', ' || current_setting('lock_timeout'); END",
    is_value=True,
    at_home=True,
    of_courier=True,
)


pretends = pytest.mark.one_server("it pretends to hold a shard; tests/citus/test_writes.py holds one")


@pytest.fixture
def write() -> Iterator[StoredStatement]:
    role = connection.ops.quote_name(connection.settings_dict["USER"])
    execute_as_owner(f"GRANT CREATE ON SCHEMA public TO {role}")
    raw_rows("CREATE TABLE calls (at int)")
    raw_rows(
        "CREATE FUNCTION alliance_hold_shard(bigint) RETURNS bigint LANGUAGE sql AS"
        " $$ INSERT INTO calls VALUES ($1); SELECT CASE WHEN $1 < 100 THEN $1 END $$"
    )
    raw_rows("CREATE FUNCTION citus_backend_gpid() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'")
    raw_rows(
        "CREATE FUNCTION assign_distributed_transaction_id(int, bigint, timestamptz) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT $2'"
    )
    texts = texts_of(WRITE, Shards({"parcels_parcel": (71, 72)}, {}))
    for name, text in texts.items():
        raw_rows(f"CREATE FUNCTION {name} {text.definition}")
    yield WRITE
    faked = ("alliance_hold_shard", "citus_backend_gpid", "assign_distributed_transaction_id")
    raw_rows(f"DROP FUNCTION {', '.join([*faked, *texts])}")
    raw_rows("DROP TABLE calls")
    execute_as_owner(f"REVOKE CREATE ON SCHEMA public FROM {role}")


def call(write: StoredStatement, *, home: int = 71, courier_id: int | None = 7) -> str:
    parameters = {"home": home, "courier_id": courier_id}
    held: str = at_home.value_alone(write, parameters, courier_id=courier_id)
    return held


@pretends
def test_write_with_which_a_scope_begins_commits_itself(write: StoredStatement) -> None:
    limits = limited(statement_seconds=9, lock_seconds=3)
    with suppress(ZeroDivisionError), limits, scope(Scope.courier(7)):
        assert call(write) == "courier:7, 3s"
        raise ZeroDivisionError
    assert raw_rows("SELECT at FROM calls") == [(71,)]
    assert raw_rows("SELECT current_setting('alliance.scope', true), current_setting('lock_timeout')") in (
        [("", "0")],
        [(None, "0")],
    )


@pretends
def test_write_is_a_part_of_a_transaction_that_has_begun(write: StoredStatement) -> None:
    def begun() -> None:
        raw_rows("SELECT 1")

    def not_begun() -> None:
        pass

    for first, around in ((begun, nullcontext()), (not_begun, transaction.atomic())):
        with suppress(ZeroDivisionError), around, scope(Scope.courier(7)):
            first()
            assert call(write) == "courier:7, 0"
            raise ZeroDivisionError
    assert raw_rows("SELECT at FROM calls") == []


@pretends
@pytest.mark.parametrize("whose", [Scope.courier(8), Scope.everything(), Scope.merchant(7)])
def test_write_in_another_scope_opens_none(write: StoredStatement, whose: Scope) -> None:
    with suppress(ZeroDivisionError), scope(whose):
        assert call(write) == f"{whose.value}, 0"
        raise ZeroDivisionError
    with scope(whose):
        # Not even if it is told to.
        told = {"home": 71, "courier_id": 7, "lock_ms": 0, "statement_ms": 0}
        assert raw_rows(write.call_alone, told) == [(f"{whose.value}, 0",)]


@pretends
def test_write_alone_that_came_too_late_is_made_again(
    write: StoredStatement, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scope(Scope.courier(7)), pytest.raises(Unavailable):
        call(write, home=171)
    homes = iter([171, 72])
    monkeypatch.setattr(at_home, "raw_rows", lambda sql, told: raw_rows(sql, {**told, "home": next(homes)}))
    with scope(Scope.courier(7)):
        assert call(write) == "courier:7, 0"
    assert raw_rows("SELECT at FROM calls") == [(72,)]


def test_value_of_what_has_moved_is_asked_for_again_in_the_same_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([None, None, [7]])
    monkeypatch.setattr(at_home, "raw_rows", lambda _sql, _told: [(next(answers),)])
    assert at_home.value_at_home(WRITE, {}) == [7]
    monkeypatch.setattr(at_home, "raw_rows", lambda _sql, _told: [(None,)])
    with pytest.raises(Unavailable):
        at_home.value_at_home(WRITE, {})
