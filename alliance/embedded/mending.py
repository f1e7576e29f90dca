"""Start dead embedded servers again, in a process of its own: `python -m alliance.embedded.mending`.

A process can be killed when it hangs, and the kernel then frees its locks; a thread cannot.
"""

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from alliance.embedded.errors import EmbeddedServerError
from alliance.embedded.processes import KILL_SECONDS
from alliance.embedded.sharing import find_dead, start_dead

# A start waits for the lock, and may recover the data of a crash. What takes longer hangs.
MEND_SECONDS = 300.0
ROOT = Path(__file__).resolve().parents[2]


class Mender:
    """Starts the servers that this process uses again when they have died."""

    def __init__(
        self, command: tuple[str, ...] = (sys.executable, "-m", "alliance.embedded.mending")
    ) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._has_stopped = False

    def mend(self, seconds: float = MEND_SECONDS) -> str:
        """Have a process start dead servers again; return a message about it, empty if none was dead."""
        if self._has_stopped or not (dead := find_dead()):
            return ""
        self._process = subprocess.Popen(  # noqa: S603 -- ourselves
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=ROOT,
            # Ctrl-C in our terminal must not reach the servers that it starts.
            start_new_session=True,
        )
        try:
            names, complaints = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            names = " and ".join(dead)
            return f"Starting {names} again took over {seconds:.0f} s and was broken off. Trying again."
        if self._process.returncode:
            reason = complaints.strip().splitlines() or [f"It ended with code {self._process.returncode}."]
            return f"{reason[-1]} Trying again."
        return "\n".join(f"{name} had died and was started again." for name in names.split())

    def stop(self) -> None:
        """Break off what is being started, so that the servers can be stopped."""
        self._has_stopped = True
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_SECONDS)
        self._process.kill()


def main() -> None:
    # As an exception, so that a server that is being started is stopped.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        names = start_dead()
    except EmbeddedServerError as error:
        sys.exit(str(error))
    sys.stdout.write("\n".join(names))


if __name__ == "__main__":
    main()
