"""How a run ends that is told to stop: everything it started ends first, and what it made is dropped."""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from alliance.supervision import end_with_parent

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def cleanly() -> Iterator[None]:
    """Turn the first signal to stop into SystemExit, and hear no other while things are cleared away."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    owner = os.getpid()

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != owner:
            # A client that was forked from us: it has nothing to clear away.
            os._exit(128 + number)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        sys.stderr.write("Stopping; what was started and made is cleared away ...\n")
        sys.exit(128 + number)

    for number in SIGNALS:
        signal.signal(number, stop)
    # Clients of a run that is killed outright end with it.
    os.register_at_fork(after_in_child=end_with_parent)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_clients() -> None:
    """Kill the processes that were forked to send load, fill tables or watch."""
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
