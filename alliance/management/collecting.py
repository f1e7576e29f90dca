"""Collect the pages' assets while other things are prepared."""

import hashlib
import multiprocessing
import signal
import sys
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import CommandError

from alliance import embedded
from alliance.embedded.errors import describe_os_errors

COLLECT_SECONDS = 300.0


class Collecting:
    """Collects the pages' assets in a child process: it takes seconds at the first start."""

    def __init__(self) -> None:
        self._mark = Path(settings.STATIC_ROOT) / ".collected"
        self._found = fingerprint_of_assets()
        self.has_changed = not self._mark.is_file() or self._mark.read_text() != self._found
        context = multiprocessing.get_context("fork")
        self._problems = context.SimpleQueue()
        self._process = context.Process(target=self._collect, daemon=True)

    def begin(self) -> None:
        self._process.start()

    def finish(self) -> None:
        """Wait for the process. Raises CommandError if it failed."""
        if not self.has_changed:
            return
        self._process.join(COLLECT_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            raise CommandError(f"Collecting the pages' assets took over {COLLECT_SECONDS:.0f} s.")
        if self._process.exitcode:
            reason = "" if self._problems.empty() else self._problems.get()
            raise CommandError(reason or "The pages' assets could not be collected.")

    def _collect(self) -> None:
        # SystemExit ends the child process without a traceback.
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        try:
            with describe_os_errors("Preparing the pages' assets"):
                call_command("collectstatic", interactive=False, verbosity=0)
                self._mark.write_text(self._found)
        except embedded.EmbeddedServerError as error:
            self._problems.put(str(error))
            sys.exit(1)


def fingerprint_of_assets() -> str:
    """Return a text that changes when any static file is added, removed or changed."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
