"""Work divided by courier: every share is done, in turns, and by one worker at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from alliance.checks import work_has_a_share
from alliance.database.work_shares import in_share, share_parameters, work_in_shares
from alliance.locks import Lock
from alliance.tenancy import raw_rows

LOCK = Lock.FOLD_TALLIES


@pytest.fixture(autouse=True)
def three_shares(settings: Any) -> None:
    settings.WORK_SHARES = 3


@contextmanager
def somebody_at(*shares: int) -> Iterator[None]:
    """Have another session hold these shares."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            for share in shares:
                cursor.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK, share])
        yield
    finally:
        other.close()


@pytest.mark.django_db
def test_every_row_is_in_one_share() -> None:
    condition = in_share("courier")
    found = [
        row[0]
        for share in range(3)
        for row in raw_rows(
            f"SELECT courier FROM generate_series(1, 20) AS g (courier) WHERE {condition}",
            share_parameters(share),
        )
    ]
    assert sorted(found) == list(range(1, 21))


@pytest.mark.django_db
def test_shares_take_turns_until_each_has_nothing_more() -> None:
    left = {0: 3, 1: 1, 2: 2}
    done: list[int] = []

    def work(share: int) -> bool:
        done.append(share)
        left[share] -= 1
        return left[share] > 0

    assert work_in_shares(work, lock=LOCK)
    assert sorted(done) == [0, 0, 0, 1, 2, 2]
    assert sorted(done[:3]) == [0, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_shares_of_others_are_left_to_them() -> None:
    done: list[int] = []
    with somebody_at(0, 2):
        assert work_in_shares(lambda share: bool(done.append(share)), lock=LOCK)
    assert done == [1]
    with somebody_at(0, 1, 2):
        assert not work_in_shares(lambda share: bool(done.append(share)), lock=LOCK)
    assert done == [1]


@pytest.mark.django_db(transaction=True)
def test_a_share_whose_work_fails_is_free_again() -> None:
    def fail(share: int) -> bool:
        raise ValueError(share)

    for _time in range(2):
        with pytest.raises(ValueError, match="[012]"):
            work_in_shares(fail, lock=LOCK)
    done: list[int] = []
    work_in_shares(lambda share: bool(done.append(share)), lock=LOCK)
    assert sorted(done) == [0, 1, 2]


@pytest.mark.parametrize(
    ("shares", "refused"), [(1, []), (2, []), (0, ["alliance.E002"]), (-1, ["alliance.E002"])]
)
def test_no_share_at_all_is_refused(settings: Any, shares: int, refused: list[str]) -> None:
    settings.WORK_SHARES = shares
    assert [error.id for error in work_has_a_share(None)] == refused
