"""The programs that `manage.py up` runs, and what it says about them."""

import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from django.conf import settings
from django.db import DatabaseError, connection
from django.urls import NoReverseMatch, reverse

from alliance import embedded
from alliance.demo_logins import DEMO_LOGINS
from alliance.demo_progress import DEMO
from alliance.embedded.folders import key_of_home
from alliance.health import note_heartbeat
from alliance.supervision import READY, Supervisor

NOT_WHOLE = "The demo alliance is not whole: its loading was stopped. 'make reset' starts over."
MEMORY = Path("/dev/shm")  # noqa: S108 -- a folder of our own is made in it
PAGES = {"Portal": "home", "Admin": "admin:index", "API docs": "api:docs"}


def add_programs(
    supervisor: Supervisor, host: str, port: int, environment: dict[str, str], *, demo: Sequence[str]
) -> None:
    """Add all programs, the web server first; without arguments for the demo none is loaded."""
    commands = programs(host, port)
    supervisor.add("web", commands["web"], environment)
    supervisor.add("worker", commands["worker"], environment, after=READY)
    supervisor.add("webhooks", commands["webhooks"], environment, after=READY)
    if demo:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), DEMO, *demo]
        supervisor.add("demo", command, environment, after=READY, on_exit=demo_is_over)
    # The demo simulates its days in order and runs the jobs of each hour itself: beat's jobs, which use the
    # real time, would close and sweep what has not been simulated yet.
    supervisor.add("beat", commands["beat"], environment, after="demo" if demo else READY)


def demo_is_over(code: int) -> str:
    """Return the message to print when the demo's program has ended, and record the end for the pages."""
    if code == 0:
        return "The demo alliance is loaded."
    try:
        note_heartbeat(DEMO, whole=False, stopped=True)
    except DatabaseError:
        # The database is down for a moment: pages keep showing the last progress.
        pass
    finally:
        connection.close()
    return NOT_WHOLE


def programs(host: str, port: int) -> dict[str, list[str]]:
    """Return the programs to run, by the name that prefixes their output."""
    python = [sys.executable, "-m"]
    configuration = str(settings.BASE_DIR / "gunicorn.conf.py")
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    celery = [*python, "celery", "--app", "alliance.celery", "--workdir", str(settings.BASE_DIR), "--quiet"]
    worker = [*celery, "worker", "--without-mingle", "--without-gossip"]
    return {
        "web": [
            *python,
            "gunicorn",
            "--config",
            configuration,
            "--chdir",
            str(settings.BASE_DIR),
            "--bind",
            bind,
        ],
        "worker": [*worker, "--loglevel", "INFO", "--concurrency", "2"],
        # Its task runs most of the time: a line for each run says nothing.
        "webhooks": [
            *worker,
            "--queues",
            "webhooks",
            "--hostname",
            "webhooks@%h",
            "--loglevel",
            "WARNING",
            "--concurrency",
            "1",
        ],
        "beat": [*celery, "beat", "--loglevel", "WARNING", "--pidfile="],
    }


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Make a folder of this run, in memory if there is a disk of that kind.

    The programs map their counters into memory from files in it: where the disk has no room for a page, the
    kernel kills the program that writes to it (SIGBUS).
    """
    root = MEMORY if os.access(MEMORY, os.W_OK) else Path(gettempdir())
    prefix = f"courier-alliance-run-{key_of_home()}-"
    # Of runs that were killed.
    for leftover in root.glob(f"{prefix}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with TemporaryDirectory(prefix=prefix, dir=root, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def program_environment(address: str, metrics: str) -> dict[str, str]:
    """Return the programs' environment: ours, with defaults for a terminal and this URL."""
    defaults = {
        "PUBLIC_URL": address,
        "LOG_JSON": "false",
        "PYTHONUNBUFFERED": "1",
        # Celery warns root at every start; in a container this is expected.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
        "PROMETHEUS_MULTIPROC_DIR": metrics,
    }
    return {**defaults, **os.environ}


def visible_host(host: str) -> str:
    """Return the host at which a browser on this machine reaches a server that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- named, not bound
    return f"[{host}]" if ":" in host else host


def answers(address: str) -> bool:
    """Tell whether the web server answers."""
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5) as response:  # noqa: S310 -- our own http
            return response.status == 200
    except urllib.error.HTTPError as error:
        # An error response is an answer, too, as for a host that is not in ALLOWED_HOSTS.
        return error.code < 500
    except OSError:
        return False


def summary(address: str, *, has_demo: bool, loads_demo: bool) -> str:
    """Return the table printed at the start: URLs and accounts."""
    rows = [(name, address + path) for name, path in _pages().items()]
    if "EMAIL_URL" not in os.environ:
        rows.append(("Test mail", settings.EMAIL_FILE_PATH))
    if "DATABASE_URL" not in os.environ:
        rows.append(("Data", str(embedded.server_root())))
    logins = list(DEMO_LOGINS) if has_demo or loads_demo else []
    lines = ["", *(f"  {name:<10} {url}" for name, url in rows)]
    if logins:
        lines += ["", f"  {'Log-in':<10} {'E-mail':<34} Password"]
        lines += [f"  {role:<10} {email:<34} {password}" for role, email, password in logins]
    if loads_demo:
        lines += ["", "  The demo fills in behind: its log-ins work in a few seconds, and a bar on every"]
        lines += ["  page shows how far it is."]
    return "\n".join([*lines, "", "  Ctrl-C stops everything and keeps the data.", ""])


def _pages() -> dict[str, str]:
    pages = {}
    for name, view in PAGES.items():
        try:
            pages[name] = reverse(view)
        except NoReverseMatch:
            continue
    return pages
