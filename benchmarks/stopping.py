"""Stop a run after a signal: first end its child processes, then drop its databases."""

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
    """Raise SystemExit at the first signal to stop, and ignore further ones during the clean-up."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    owner = os.getpid()

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != owner:
            # A forked client process, which has nothing to clean up.
            os._exit(128 + number)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        sys.stderr.write("Stopping; what was started and made is cleared away ...\n")
        sys.exit(128 + number)

    for number in SIGNALS:
        signal.signal(number, stop)
    # If the run is killed by SIGKILL, its clients end with it.
    os.register_at_fork(after_in_child=end_with_parent)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_clients() -> None:
    """Kill the forked processes that send load, fill tables or monitor."""
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
