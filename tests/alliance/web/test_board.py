"""Web processes know of each other's long calls: a tenant's run one at a time while others call."""

import copy
import os

import pytest
from gunicorn.config import Config

from alliance.web import board as board_module
from alliance.web.board import BOARD, Board
from alliance.web.gunicorn_worker import PatientWorker


@pytest.fixture
def here() -> Board:
    """The board as the process of worker 1 sees it, while others call."""
    board = Board()
    board.take_row(1)
    board.note_light_call()
    return board


@pytest.fixture
def there(here: Board) -> Board:
    """The same memory as the process of worker 2 sees it."""
    other = copy.copy(here)
    other.take_row(2)
    return other


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which the clock is put forward, to be changed."""
    seconds = [0.0]
    now = board_module.time.monotonic_ns
    monkeypatch.setattr(board_module.time, "monotonic_ns", lambda: now() + int(seconds[0] * 1e9))
    return seconds


def entry(board: Board, tenant: str) -> int:
    made = board.enter(tenant)
    assert made is not None
    return made


def test_calls_of_a_tenant_run_in_their_order_whichever_process_has_them(here: Board, there: Board) -> None:
    first, second, third = entry(there, "flood"), entry(here, "flood"), entry(there, "flood")
    assert [there.may_begin(first, 1), here.may_begin(second, 1), there.may_begin(third, 1)] == [
        True, False, False,
    ]  # fmt: skip
    there.begin(first)
    # One that runs is in the way, though it began after the other came.
    assert not here.may_begin(second, 1)
    assert here.may_begin(second, 2)
    there.leave(first)
    assert here.may_begin(second, 1)
    assert not there.may_begin(third, 1)
    here.leave(second)
    assert there.may_begin(third, 1)


def test_tenants_are_not_held_up_by_each_other(here: Board, there: Board) -> None:
    there.begin(entry(there, "flood"))
    assert here.may_begin(entry(here, "other"), 1)


def test_all_run_when_nobody_else_has_called_for_a_while(
    here: Board, there: Board, ahead: list[float]
) -> None:
    there.begin(entry(there, "flood"))
    waiting = entry(here, "flood")
    assert not here.may_begin(waiting, 1)
    ahead[0] = board_module.OTHERS_SECONDS + 1
    assert here.may_begin(waiting, 1)


def test_calls_of_an_ended_worker_and_of_one_that_hangs_are_ignored(
    here: Board, there: Board, ahead: list[float]
) -> None:
    entry(there, "flood")
    ahead[0] = 1.0
    waiting = entry(here, "flood")
    assert not here.may_begin(waiting, 1)
    ahead[0] = board_module.STALE_SECONDS + 2
    here.note_light_call()
    assert here.may_begin(waiting, 1)
    ahead[0] = 1.0
    here.note_light_call()
    assert not here.may_begin(waiting, 1)
    here.clear(2)
    assert here.may_begin(waiting, 1)


def test_call_without_room_on_the_board_has_no_entry(here: Board, there: Board) -> None:
    entries = [here.enter("flood") for _call in range(board_module._ENTRIES + 1)]
    assert entries[-1] is None
    assert None not in entries[:-1]
    assert there.enter("flood") not in entries


def test_processes_share_the_board(here: Board) -> None:
    waiting = entry(here, "flood")
    child = os.fork()
    if not child:
        here.take_row(2)
        here.begin(entry(here, "flood"))
        os._exit(0)
    os.waitpid(child, 0)
    assert not here.may_begin(waiting, 1)


def test_gunicorn_removes_the_calls_of_a_worker_that_has_ended() -> None:
    worker = PatientWorker(1, 0, [], None, 30, Config(), None)
    try:
        BOARD.take_row(worker.age)
        left = entry(BOARD, "flood")
        worker.forget()
        assert entry(BOARD, "other") == left
    finally:
        BOARD.take_row(0)
        worker.forget()
        worker.tmp.close()
