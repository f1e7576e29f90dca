"""Threads of the web server: who was busy last is the next to be, and nothing given to them is lost."""

import threading
from queue import SimpleQueue

import pytest

from alliance.web.threads import Threads


@pytest.fixture
def done() -> SimpleQueue[int]:
    return SimpleQueue()


def ident_into(done: SimpleQueue[int]) -> None:
    done.put(threading.get_ident())


def wait_until_idle(pool: Threads, number: int) -> None:
    for _wait in range(1_000):
        if len(pool._idle) == number:
            return
        threading.Event().wait(0.005)
    raise AssertionError("the threads are still busy")


def test_calls_one_after_another_are_made_by_one_thread(done: SimpleQueue[int]) -> None:
    pool = Threads(3)
    idents = set()
    for _call in range(5):
        pool.submit(lambda: ident_into(done))
        idents.add(done.get(timeout=5))
        wait_until_idle(pool, 1)
    assert len(idents) == 1


def test_calls_beyond_the_number_of_threads_wait_and_are_made_in_order(done: SimpleQueue[int]) -> None:
    pool, go_on = Threads(2), threading.Event()
    for _call in range(2):
        pool.submit(lambda: go_on.wait(5))
    for number in range(20):
        pool.submit(lambda number=number: done.put(number))
    assert done.empty()
    assert pool._started == 2
    go_on.set()
    assert sorted(done.get(timeout=5) for _call in range(20)) == list(range(20))
    wait_until_idle(pool, 2)


def test_calls_that_no_thread_has_begun_are_dropped_at_the_end(done: SimpleQueue[int]) -> None:
    pool, go_on = Threads(1), threading.Event()
    pool.submit(lambda: go_on.wait(5))
    pool.submit(lambda: ident_into(done))
    pool.shutdown(wait=False)
    go_on.set()
    wait_until_idle(pool, 1)
    assert done.empty()
