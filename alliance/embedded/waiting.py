"""Wait for something with a limit, and say what is waited for when it takes long."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

# Seconds until a wait is announced on the terminal.
SAY_AFTER_SECONDS = 2.0


def wait_until(
    condition: Callable[[], bool], *, what: Callable[[], str], seconds: float, pause: float = 0.02
) -> bool:
    """Wait until the condition holds, and return whether it did within so many seconds.

    `what` describes what is waited for; it is asked when the wait has become long.
    """
    begun, said = time.monotonic(), False
    while not condition():
        waited = time.monotonic() - begun
        if waited > seconds:
            return False
        if waited > SAY_AFTER_SECONDS and not said:
            said = True
            sys.stderr.write(f"Waiting for {what()} ...\n")
            sys.stderr.flush()
        time.sleep(pause)
    return True


def describe_process(pid: int | None) -> str:
    """Return a process as "process 12 (its command)"."""
    if pid is None:
        return "a process unknown"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return f"process {pid}"
    return f"process {pid} ({command.strip()[:200] or 'ended'})"
