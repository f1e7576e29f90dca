"""Work divided by courier: every share is worked on, in turns, by one worker at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection

from alliance.checks import work_has_a_share
from alliance.database import work_shares
from alliance.database.work_shares import Share, all_shares, in_share, work_in_shares
from alliance.locks import Lock
from alliance.tenancy import raw_rows

LOCK = Lock.FOLD_TALLIES


@pytest.fixture(autouse=True)
def three_shares(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on one server: on a cluster shards are the shares."""
    settings.WORK_SHARES = 3
    monkeypatch.setattr(work_shares, "is_distributed", lambda: False)
    monkeypatch.setattr(work_shares, "shard_keys", lambda: (0,))


@contextmanager
def other_session_holding(*shares: int) -> Iterator[None]:
    """Let another session hold the locks of these shares."""
    other_connection = connection.copy()
    try:
        with other_connection.cursor() as cursor:
            for share in shares:
                cursor.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK, share])
        yield
    finally:
        other_connection.close()


@pytest.mark.django_db
def test_every_row_is_in_one_share() -> None:
    condition = in_share("courier")
    ids = [
        row[0]
        for share in all_shares()
        for row in raw_rows(
            f"SELECT courier FROM generate_series(1, 20) AS g (courier) WHERE {condition}",
            share.parameters,
        )
    ]
    assert sorted(ids) == list(range(1, 21))


@pytest.mark.django_db
def test_shares_take_turns_until_each_has_nothing_more() -> None:
    remaining = {0: 3, 1: 1, 2: 2}
    shares: list[int] = []

    def work(share: Share) -> bool:
        shares.append(share.share)
        remaining[share.share] -= 1
        return remaining[share.share] > 0

    assert work_in_shares(work, lock=LOCK)
    assert sorted(shares) == [0, 0, 0, 1, 2, 2]
    assert sorted(shares[:3]) == [0, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_shares_locked_by_others_are_skipped() -> None:
    shares: list[int] = []
    with other_session_holding(0, 2):
        assert work_in_shares(lambda share: bool(shares.append(share.share)), lock=LOCK)
    assert shares == [1]
    with other_session_holding(0, 1, 2):
        assert not work_in_shares(lambda share: bool(shares.append(share.share)), lock=LOCK)
    assert shares == [1]


@pytest.mark.django_db(transaction=True)
def test_share_is_unlocked_after_a_failure() -> None:
    def fail(share: Share) -> bool:
        raise ValueError(share.share)

    for _time in range(2):
        with pytest.raises(ValueError, match="[012]"):
            work_in_shares(fail, lock=LOCK)
    shares: list[int] = []
    work_in_shares(lambda share: bool(shares.append(share.share)), lock=LOCK)
    assert sorted(shares) == [0, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_shards_of_a_cluster_are_shares_and_one_that_is_down_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work_shares, "is_distributed", lambda: True)
    monkeypatch.setattr(work_shares, "shard_keys", lambda: (11, 5, 8))
    worked: list[int] = []

    def work(share: Share) -> bool:
        if share.home == 5:
            raise OperationalError("connection to the remote node failed")
        worked.append(share.home)
        return False

    with pytest.raises(OperationalError, match="remote node"):
        work_in_shares(work, lock=LOCK)
    assert sorted(worked) == [8, 11]
    # Each shard is one share: all couriers are in it.
    assert {(share.share, share.shares) for share in all_shares()} == {(0, 1)}


@pytest.mark.parametrize(
    ("shares", "refused"), [(1, []), (2, []), (0, ["alliance.E002"]), (-1, ["alliance.E002"])]
)
def test_no_share_at_all_is_refused(settings: Any, shares: int, refused: list[str]) -> None:
    settings.WORK_SHARES = shares
    assert [error.id for error in work_has_a_share(None)] == refused
