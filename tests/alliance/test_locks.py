"""Advisory locks: numbers that differ, and what a second session gets."""

import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from alliance.locks import Lock, try_to_take, wait_for
from alliance.tenancy import raw_rows
from tests.helpers.sources import PACKAGES, modules

NUMBER = re.compile(r"5_?264_?\d{3}\b")
LOCK = Lock.SWEEP


def test_numbers_differ() -> None:
    assert len(set(Lock)) == len(Lock.__members__)


def test_numbers_stand_in_one_file() -> None:
    holders = [
        str(path.relative_to(settings.BASE_DIR))
        for package in PACKAGES
        for path in modules(package)
        if NUMBER.search(path.read_text())
    ]
    assert holders == ["alliance/locks.py"]


@pytest.fixture
def other_session() -> Iterator[object]:
    """A cursor of another session."""
    other_connection = connection.copy()
    try:
        with other_connection.cursor() as cursor:
            yield cursor
    finally:
        other_connection.close()


@pytest.mark.django_db
def test_lock_is_one_sessions_at_a_time(other_session: object) -> None:
    other_session.execute("SELECT pg_advisory_lock(%s, 1)", [LOCK.value])
    assert not try_to_take(LOCK, of=1)
    assert try_to_take(LOCK, of=2)
    assert try_to_take(LOCK)
    other_session.execute("SELECT pg_advisory_unlock(%s, 1)", [LOCK.value])
    assert try_to_take(LOCK, of=1)


@pytest.mark.django_db
def test_shared_lock_keeps_out_only_those_who_do_not_share_it(other_session: object) -> None:
    raw_rows("SET LOCAL lock_timeout = '100ms'")
    other_session.execute("SELECT pg_advisory_lock_shared(%s)", [LOCK.value])
    wait_for(LOCK, shared=True)
    with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
        wait_for(LOCK)
