"""Run several long-running programs as one foreground command.

This extends Honcho's manager: no program outlives us even if we are killed by SIGKILL, a signal during
printing does no harm, a message is printed once all programs are ready, and programs that end after that are
restarted. Some programs wait for others, and some do their work and end.
"""

import contextlib
import ctypes
import functools
import os
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
# Name to wait for: the program starts once everything is ready.
READY = "*ready*"
# Seconds after the signal to stop until programs are killed, and then until they are no longer waited for.
STOP_SECONDS, KILL_SECONDS = 6.0, 2.0
# `tend` that takes longer hangs: another thread goes on in its place.
TEND_SECONDS = 330.0
# A message of `tend` that stays the same is printed once in so many seconds.
REPEAT_SECONDS = 60.0
# Celery's worker may exit when the broker disconnects; nothing is lost, so it is restarted. A program that
# ends more often than this within so many seconds is broken.
MOST_STARTS_AGAIN, STARTS_AGAIN_WITHIN = 3, 60.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Supervisor(Manager):
    """Runs programs until we get a signal to stop or one of them fails repeatedly; then stops them all.

    After `loop()`, `failure` is one sentence about what went wrong, or empty.
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
        # Called about once a second, in a thread of its own; its result is printed.
        self._tend = tend
        self._tender: threading.Thread | None = None
        self._watcher: threading.Thread | None = None
        self._tended_at = 0.0
        # Process ids of the programs that we stop.
        self._stopping: set[int] = set()
        # The last message of `tend`, and when it was printed.
        self._tended = ("", 0.0)
        self._is_ready, self._when_ready = is_ready, when_ready
        self._asked_to_stop = threading.Event()
        self._ready = self._begun = self._gave_up = False
        # Waiting programs, by the name of the program whose end they wait for.
        self._waiting: dict[str, tuple[str, Callable[[], None]]] = {}
        # Programs that do their work and end: the message to print, by their exit code.
        self._on_exit: dict[str, Callable[[int], str]] = {}
        self._done: set[str] = set()
        self._started_again: dict[str, list[float]] = {}
        # A program that is being started has no process yet that could be stopped.
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
        on_exit: Callable[[int], str] | None = None,
    ) -> None:
        """Add a program; `begin()` starts it, or it waits for the end of another, or for READY.

        A program with `on_exit` does its work and ends; the result of `on_exit(exit code)` is printed.
        """
        # exec: the shell is replaced by the program, so signals reach it.
        line, variables = f"exec {shlex.join(command)}", dict(environment)
        if on_exit:
            self._on_exit[name] = on_exit
        if after:
            self._printer.width = max(self._printer.width, len(name))
            self._waiting[name] = (after, lambda: self.add_process(name, line, env=variables))
        else:
            self.add_process(name, line, env=variables)

    def begin(self) -> None:
        """Start the programs that wait for no other. Their output is shown when `loop()` runs."""
        self._begun = True
        # Block signals while forking: otherwise honcho's helper processes would run our handlers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        super()._start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def abandon(self) -> None:
        """Stop the programs that `begin()` started, instead of calling `loop()`."""
        self._asked_to_stop.set()
        self.loop()

    def loop(self) -> None:
        """Run all programs until the end."""
        super().loop()
        self._ended.set()
        self._kill_rest()

    def terminate(self) -> None:
        """Send all programs the signal to stop. Honcho calls this when one of them has ended."""
        if not self._asked_to_stop.is_set() and not self.failure:
            name, code = next(
                (name, state["returncode"])
                for name, state in self._processes.items()
                if "returncode" in state and name not in self._on_exit
            )
            self.failure = (
                f"{name} ended by itself (code {code}) and everything was stopped; its last lines say why."
            )
        self._note_running()
        super().terminate()

    def _note_running(self) -> None:
        # Not those that ended long ago: others may have their process ids by now.
        for state in self._processes.values():
            if "pid" in state and "returncode" not in state:
                self._stopping.add(state["pid"])

    def _start(self) -> None:
        for signum in SIGNALS:
            signal.signal(signum, lambda _number, _frame: self._asked_to_stop.set())
        if not self._begun:
            self.begin()
        self._keep_watching()

    def _any_stopped(self) -> bool:
        """Tell honcho whether to stop everything because a program has ended: not if it can be restarted.

        Honcho calls this in its loop, so waiting programs are started here, and the watch is kept up.
        """
        self._keep_watching()
        with self._changing:
            for name, state in list(self._processes.items()):
                if "returncode" not in state:
                    continue
                if name in self._on_exit:
                    self._note_exit(name, state["returncode"])
                elif self._may_start_again(name):
                    self._print_line(
                        f"{name} ended by itself (code {state['returncode']}) and is started again."
                    )
                    self._start_only(name, self._processes[name]["obj"])
            self._start_waiting()
            return any(
                "returncode" in state and name not in self._on_exit for name, state in self._processes.items()
            )

    def _note_exit(self, name: str, code: int) -> None:
        if name in self._done or self._is_stopping():
            return
        self._done.add(name)
        self._print_line(self._on_exit[name](code))

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
        # Honcho starts all programs that it has, so give it only this one.
        self._processes = {name: {"obj": program}}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        super()._start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._processes = {**everybody, **self._processes}

    def _keep_watching(self) -> None:
        """Have a thread that watches and one that tends, whatever became of the ones before."""
        if not self._ended.is_set() and not (self._watcher and self._watcher.is_alive()):
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()
        hangs = time.monotonic() - self._tended_at > TEND_SECONDS
        if not self._is_stopping() and (hangs or not (self._tender and self._tender.is_alive())):
            if self._tender:
                self._print_line(
                    f"The watch over the servers {'hangs' if hangs else 'ended'}; a new one begins."
                )
            self._tended_at = time.monotonic()
            self._tender = threading.Thread(target=self._keep_tending, daemon=True)
            self._tender.start()

    def _keep_tending(self) -> None:
        while self._tender is threading.current_thread() and not self._asked_to_stop.wait(1.0):
            self._tended_at = time.monotonic()
            try:
                said = self._tend()
            except Exception as error:  # noqa: BLE001 -- whatever it was, the watch goes on
                said = f"Looking after the servers failed: {error!r}. Trying again."
            before, at = self._tended
            if said and (said != before or time.monotonic() - at > REPEAT_SECONDS):
                self._tended = said, time.monotonic()
                self._print_line(said)

    def _watch(self) -> None:
        """Print a message when everything is ready, then wait for the signal to stop."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._asked_to_stop.wait(1.0 if self._ready else 0.2):
            if not self._ready and self._is_ready():
                self._ready = True
                self._print_line(self._when_ready)
            if not self._ready and time.monotonic() > deadline:
                self.failure = (
                    f"The web server did not answer within {READY_SECONDS:.0f} s; everything was stopped."
                )
                break
        deadline = time.monotonic() + STOP_SECONDS
        while not self._stopped_if_started() and time.monotonic() < deadline:
            time.sleep(0.05)
        if not self._ended.wait(deadline - time.monotonic()):
            self._kill_rest()
            if not self._ended.wait(KILL_SECONDS):
                self._gave_up = True

    def _all_stopped(self) -> bool:
        return self._gave_up or super()._all_stopped()

    def _kill_rest(self) -> None:
        """Kill what is left of each program: its whole session, and the process that passes on its output."""
        for pid in self._stopping:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        for state in self._processes.values() if self._gave_up else ():
            if "process" in state:
                state["process"].kill()

    def _stopped_if_started(self) -> bool:
        with self._changing:
            self._note_running()
            if not self._all_started():
                return False
            super().terminate()
            return True

    def _all_started(self) -> bool:
        return self._gave_up or super()._all_started()

    def _print_line(self, text: str) -> None:
        if text:
            self.events.put(Message("line", text, datetime.now().astimezone(), None, None))


class _Console(Printer):
    """Prints the programs' lines with their names, and our own lines without a name."""

    def write(self, message: Message) -> None:
        # On a full disk, a closed terminal, a pipe that nobody reads: programs matter more than their lines.
        with contextlib.suppress(OSError):
            if message.name is None:
                print(message.data, file=self.output, flush=True)  # noqa: T201 -- output of a terminal command
            else:
                super().write(message)


class _Program(Process):
    """A program that ends when we end, even by SIGKILL."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._child_ctor = functools.partial(Popen, preexec_fn=end_with_parent)

    def run(self, *args: Any, **kwargs: Any) -> None:
        _end_with_parent(signal.SIGKILL)
        super().run(*args, **kwargs)


def end_with_parent() -> None:
    """Prepare a child process so that its program gets SIGTERM when the parent dies."""
    _end_with_parent(signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _end_with_parent(signum: signal.Signals) -> None:
    """Let the kernel signal this process when its parent dies (Linux only)."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, signum)
