"""Threads that write side by side."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from django.db import connections
from django.utils import translation

T = TypeVar("T")
# Calls that wait for a writer or are with it: one to do, one to go on with.
_PENDING = 2


class Writers(Generic[T]):
    """Calls functions in threads, each with a connection of its own; one writer is the calling thread.

    A writer does its calls in their order. The first exception ends the work: calls not begun are dropped.
    """

    def __init__(self, count: int) -> None:
        self._threads = [ThreadPoolExecutor(1) for _writer in range(count)] if count > 1 else []
        self._pending: list[deque[Future[T]]] = [deque() for _writer in self._threads]
        self._results: deque[T] = deque()

    def submit(self, writer: int, work: Callable[[], T]) -> None:
        """Have a writer call `work`; waits while it has enough to do."""
        if not self._threads:
            self._results.append(work())
            return
        while len(self._pending[writer]) >= _PENDING:
            self._results.append(self._pending[writer].popleft().result())
        # In this thread's language, for texts that are kept, and its context.
        work = partial(_call_in, translation.get_language(), work)
        self._pending[writer].append(self._threads[writer].submit(copy_context().run, work))

    def results(self) -> Iterator[T]:
        """Yield results that are there, each once."""
        while self._results:
            yield self._results.popleft()

    def last_results(self) -> Iterator[T]:
        """Wait for all calls, and yield the results not yielded before."""
        for pending in self._pending:
            while pending:
                self._results.append(pending.popleft().result())
        yield from self.results()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        for thread, pending in zip(self._threads, self._pending, strict=True):
            for future in pending:
                future.cancel()
            thread.submit(connections.close_all)
            thread.shutdown()


def _call_in(language: str | None, work: Callable[[], T]) -> T:
    with translation.override(language):
        return work()
