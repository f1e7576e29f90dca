"""Several long-running programs as one foreground command.

Honcho's manager, and on top of it: nothing outlives us even when we are killed outright, a signal
that comes while a line is being printed does no harm, something is said once all is ready, and what ends by
itself after that is started again. Some programs wait for others, and some do their work and end.
"""

import ctypes
import functools
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

from honcho.manager import Manager
from honcho.printer import Message, Printer
from honcho.process import Popen, Process

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
READY_SECONDS = 180.0
# For a program that waits until everything is ready.
READY = "*ready*"
# After this long, programs that were asked to stop are killed.
STOP_SECONDS = 15.0
# Celery's worker ends when the broker goes away at the wrong moment, and nothing is lost by it. What ends
# more often than this in so many seconds is broken.
MOST_STARTS_AGAIN, STARTS_AGAIN_WITHIN = 3, 60.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Supervisor(Manager):
    """Runs programs until we are asked to stop; then, or when one cannot be kept running, stops them all.

    After `loop()`, `failure` says in one sentence what went wrong, or is empty.
    """

    _processes: dict[str, dict[str, Any]]

    def __init__(
        self,
        *,
        is_ready: Callable[[], bool],
        when_ready: str,
        output: TextIO,
        tend: Callable[[], str] = lambda: "",
    ) -> None:
        super().__init__(_Console(output))
        self._process_ctor = _Program
        # Called about once a second; what it returns is said.
        self._tend = tend
        self._is_ready, self._when_ready = is_ready, when_ready
        self._asked_to_stop = threading.Event()
        self._ready = self._begun = False
        # Programs that wait: for the end of which other, and what they are.
        self._waiting: dict[str, tuple[str, Callable[[], None]]] = {}
        # Programs that do their work and end: what to say then, by their exit code.
        self._when_done: dict[str, Callable[[int], str]] = {}
        self._done: set[str] = set()
        self._started_again: dict[str, list[float]] = {}
        # Whoever is being started has no process yet that could be stopped.
        self._changing = threading.Lock()
        self._ended = threading.Event()
        self.failure = ""

    def add(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        after: str = "",
        when_done: Callable[[int], str] | None = None,
    ) -> None:
        """Add a program; `begin()` starts it, or it waits for the end of another, or for READY.

        One with `when_done` does its work and ends; what that returns, given the exit code, is said.
        """
        # exec: no shell stays between us and the program.
        line, variables = f"exec {shlex.join(command)}", dict(environment)
        if when_done:
            self._when_done[name] = when_done
        if after:
            self._printer.width = max(self._printer.width, len(name))
            self._waiting[name] = (after, lambda: self.add_process(name, line, env=variables))
        else:
            self.add_process(name, line, env=variables)

    def begin(self) -> None:
        """Start the programs that wait for nothing. Their lines are shown when `loop()` runs."""
        self._begun = True
        # Blocked while forking: honcho's helper processes would run our handlers otherwise.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        super()._start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def abandon(self) -> None:
        """Stop what `begin()` started, instead of `loop()`."""
        self._asked_to_stop.set()
        self.loop()

    def loop(self) -> None:
        """Run everything until the end."""
        super().loop()
        self._ended.set()

    def terminate(self) -> None:
        """Ask all programs to stop. Honcho calls this as soon as one of them has ended."""
        if not self._asked_to_stop.is_set() and not self.failure:
            name, code = next(
                (name, state["returncode"])
                for name, state in self._processes.items()
                if "returncode" in state and name not in self._when_done
            )
            self.failure = (
                f"{name} ended by itself (code {code}) and everything was stopped; its last lines say why."
            )
        super().terminate()

    def _start(self) -> None:
        for signum in SIGNALS:
            signal.signal(signum, lambda _number, _frame: self._asked_to_stop.set())
        if not self._begun:
            self.begin()
        threading.Thread(target=self._watch, daemon=True).start()

    def _any_stopped(self) -> bool:
        """Say whether honcho has to stop everything, as one has ended: not when it can be started again.

        Honcho asks over and over; programs that waited are started here.
        """
        with self._changing:
            for name, state in list(self._processes.items()):
                if "returncode" not in state:
                    continue
                if name in self._when_done:
                    self._note_done(name, state["returncode"])
                elif self._may_start_again(name):
                    self._say(f"{name} ended by itself (code {state['returncode']}) and is started again.")
                    self._start_only(name, self._processes[name]["obj"])
            self._start_waiting()
            return any(
                "returncode" in state and name not in self._when_done
                for name, state in self._processes.items()
            )

    def _note_done(self, name: str, code: int) -> None:
        if name in self._done or self._is_stopping():
            return
        self._done.add(name)
        self._say(self._when_done[name](code))

    def _start_waiting(self) -> None:
        if self._is_stopping():
            return
        over = self._done | ({READY} if self._ready else set())
        for name, (after, add) in list(self._waiting.items()):
            if after in over:
                del self._waiting[name]
                add()
                self._start_only(name, self._processes[name]["obj"])

    def _is_stopping(self) -> bool:
        return self._terminating or self._asked_to_stop.is_set()

    def _may_start_again(self, name: str) -> bool:
        if not self._ready or self._is_stopping():
            return False
        now = time.monotonic()
        lately = [at for at in self._started_again.get(name, []) if now - at < STARTS_AGAIN_WITHIN]
        self._started_again[name] = [*lately, now]
        return len(lately) < MOST_STARTS_AGAIN

    def _start_only(self, name: str, program: Process) -> None:
        everybody = self._processes
        # All that honcho starts is what it has.
        self._processes = {name: {"obj": program}}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        super()._start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._processes = {**everybody, **self._processes}

    def _watch(self) -> None:
        """Say when everything is ready, then wait for the signal to stop."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._asked_to_stop.wait(1.0 if self._ready else 0.2):
            if not self._ready and self._is_ready():
                self._ready = True
                self._say(self._when_ready)
            self._say(self._tend())
            if not self._ready and time.monotonic() > deadline:
                self.failure = (
                    f"The web server did not answer within {READY_SECONDS:.0f} s; everything was stopped."
                )
                break
        while not self._stopped_if_started():
            time.sleep(0.05)
        if not self._ended.wait(STOP_SECONDS):
            self.kill()

    def _stopped_if_started(self) -> bool:
        with self._changing:
            if not self._all_started():
                return False
            super().terminate()
            return True

    def _say(self, text: str) -> None:
        if text:
            self.events.put(Message("line", text, datetime.now().astimezone(), None, None))


class _Console(Printer):
    """Prints the programs' lines with their names, and our own text as it is."""

    def write(self, message: Message) -> None:
        if message.name is None:
            print(message.data, file=self.output, flush=True)  # noqa: T201 -- a terminal is what this is for
        else:
            super().write(message)


class _Program(Process):
    """A program that ends when we do, however we end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._child_ctor = functools.partial(Popen, preexec_fn=end_with_parent)

    def run(self, *args: Any, **kwargs: Any) -> None:
        _end_with_parent(signal.SIGKILL)
        super().run(*args, **kwargs)


def end_with_parent() -> None:
    """Prepare a process to become a program that is told to stop when its parent dies."""
    _end_with_parent(signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _end_with_parent(signum: signal.Signals) -> None:
    """Have the kernel signal this process when its parent dies (Linux only)."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, signum)
