"""Threads that answer requests."""

import threading
from collections import deque
from collections.abc import Callable


class _Thread(threading.Thread):
    def __init__(self, pool: "Threads", call: Callable[[], object]) -> None:
        super().__init__(name="request", daemon=True)
        self._pool = pool
        self.call = call
        # Held while the thread has nothing to do.
        self.sleep = threading.Lock()
        self.sleep.acquire()

    def run(self) -> None:
        while True:
            self.call()
            if not self._pool.has_more(self):
                self.sleep.acquire()


class Threads:
    """At most so many threads, each call given to the one that was busy last.

    Its connections and caches are warm, and a quiet server uses few connections to the database. Python's
    own pool takes turns among all of its threads, and makes a Future for each call. A call must not raise.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._idle: list[_Thread] = []
        self._waiting: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()

    def submit(self, call: Callable[[], object]) -> None:
        """Have a thread make the call, as soon as one is free."""
        with self._lock:
            if self._idle:
                thread = self._idle.pop()
                thread.call = call
                thread.sleep.release()
            elif self._started < self._most:
                self._started += 1
                _Thread(self, call).start()
            else:
                self._waiting.append(call)

    def has_more(self, thread: _Thread) -> bool:
        """Give a thread its next call, or note that it is idle."""
        with self._lock:
            if self._waiting:
                thread.call = self._waiting.popleft()
                return True
            self._idle.append(thread)
            return False

    def shutdown(self, *, wait: bool = False) -> None:
        """Drop what no thread has begun. The threads end with the process."""
        with self._lock:
            self._waiting.clear()
