"""Run the web server, worker and beat like `make run`, on the benchmarks' database.

Import after django.setup().
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.core.management import call_command

from alliance.management.programs import program_environment, programs
from alliance.supervision import end_with_parent

# On a busy machine; on a quiet one it takes a few.
_START_SECONDS = 180


@contextmanager
def web_server() -> Iterator[tuple[int, int]]:
    """Run gunicorn with the product's configuration on a free port; yield port and process id."""
    # Like `make run`: pages link to assets with hashed names.
    call_command("collectstatic", interactive=False, verbosity=0)
    port = _free_port()
    with _program("web", port) as server:
        _wait_for(port, server)
        yield port, server.pid


@contextmanager
def bare_server() -> Iterator[tuple[int, int]]:
    """Run the same web server, with the same configuration, for Django without the product."""
    port = _free_port()
    # Set but empty: the configuration then asks nothing about the product's demo.
    with _program("web", port, application="benchmarks.bare_django", WEB_WAITS_FOR="") as server:
        _wait_for(port, server)
        yield port, server.pid


@contextmanager
def worker() -> Iterator[int]:
    """Run a Celery worker with its child processes; yield its process id."""
    with _program("worker") as program:
        time.sleep(5)
        yield program.pid


@contextmanager
def beat() -> Iterator[int]:
    """Run beat; yield its process id."""
    with _program("beat") as program:
        yield program.pid


@contextmanager
def _program(
    name: str, port: int = 0, *, application: str = "", **variables: str
) -> Iterator["subprocess.Popen[bytes]"]:
    log = Path(settings.HOME) / "log" / f"bench-{application or name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="courier-alliance-bench-") as metrics, log.open("wb") as output:
        environment = program_environment(f"http://127.0.0.1:{port}", metrics)
        program = subprocess.Popen(
            [*programs("127.0.0.1", port)[name], *([application] if application else [])],
            env={**environment, **variables, "PYTHONPATH": str(settings.BASE_DIR)},
            stdout=output,
            stderr=output,
            cwd=settings.BASE_DIR,
            # A process group of its own: after Ctrl-C, we stop all of it ourselves.
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        try:
            yield program
        finally:
            program.terminate()
            with suppress(subprocess.TimeoutExpired):
                program.wait(timeout=30)
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    ended = server.poll()
    how = f"it ended with {ended}" if ended is not None else f"no answer within {_START_SECONDS} s"
    raise RuntimeError(f"the web server did not start: {how}")
