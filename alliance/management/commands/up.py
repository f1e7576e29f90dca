"""`manage.py up`: the whole product in one foreground command."""

import errno
import fcntl
import hashlib
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import NoReverseMatch, reverse
from redis import Redis, RedisError

from alliance import embedded
from alliance.database import partitions, stored_functions
from alliance.demo_logins import DEMO_LOGINS, DemoLogin
from alliance.embedded.errors import plainly
from alliance.models import Heartbeat
from alliance.supervision import Supervisor

DEMO = "demo"
PAGES = {"Portal": "home", "Admin": "admin:index", "API docs": "api:docs"}


class Command(BaseCommand):
    help = "Starts everything: servers, web, worker and beat. Ctrl-C stops it all and keeps the data."
    # They need the database, which is not there yet; `handle` runs them when it is.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on.")
        parser.add_argument("--port", type=int, default=8000, help="Port to listen on.")
        parser.add_argument("--no-demo", action="store_true", help="Start with an empty alliance.")

    def handle(self, *args: Any, host: str, port: int, no_demo: bool, **options: Any) -> None:
        """Make everything ready, then run until Ctrl-C or until a program ends."""
        require_free_port(host, port)
        begun = time.monotonic()
        with plainly("Preparing the pages' assets"):
            self._prepare_pages()
        with embedded.running(), the_only_one(embedded.home()):
            require_servers()
            try:
                self._prepare_database()
            except OperationalError as error:
                raise CommandError(f"The database could not be prepared: {first_line(error)}.") from error
            if not no_demo:
                self._load_demo()
            self.stdout.write(f"Ready to start after {time.monotonic() - begun:.1f} s.")
            self._run_programs(host, port)
        self.stdout.write("Everything was stopped; the data is kept.")

    def _prepare_database(self) -> None:
        self.check(databases=["default"])
        executor = MigrationExecutor(connection)
        # Comparing takes a moment; running `migrate` with nothing to do takes seconds.
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Migrating the database ...")
            call_command("migrate", interactive=False, verbosity=0)
        # Their texts change without a migration.
        for statement in stored_functions.missing():
            statement.install()
        # Beat makes them too, but a machine that was off for long, or never on, cannot wait for it.
        partitions.ensure_months_ahead()

    def _load_demo(self) -> None:
        """Load the demo alliance at the first start, and say so if that was cut short."""
        loading = Heartbeat.objects.filter(name=DEMO).first()
        if loading and not loading.detail.get("whole"):
            self.stdout.write(
                "The demo alliance is not whole: its loading was stopped. 'make reset' starts over."
            )
        if not loading and DEMO in get_commands():
            call_command(DEMO, if_empty=True)

    def _prepare_pages(self) -> None:
        # Does nothing where nothing changed.
        call_command("build_assets", verbosity=0)
        mark = Path(settings.STATIC_ROOT) / ".collected"
        found = fingerprint_of_assets()
        if not mark.is_file() or mark.read_text() != found:
            self.stdout.write("Collecting the pages' assets ...")
            call_command("collectstatic", interactive=False, verbosity=0)
            mark.write_text(found)

    def _run_programs(self, host: str, port: int) -> None:
        address = f"http://{visible_host(host)}:{port}"
        supervisor = Supervisor(
            is_ready=lambda: answers(address), when_ready=summary(address), output=sys.stdout, tend=tend
        )
        # Counters of an earlier run would be added to this one's: a new folder each time.
        with TemporaryDirectory(prefix="courier-alliance-metrics-") as metrics:
            for name, command in programs(host, port).items():
                supervisor.add(name, command, program_environment(address, metrics))
            # The supervisor forks: its children must not share our connection.
            connection.close()
            supervisor.loop()
        if supervisor.failure:
            raise CommandError(supervisor.failure)


def tend() -> str:
    """Start embedded servers again that have died; say so."""
    try:
        mended = embedded.mend()
    except embedded.EmbeddedServerError as error:
        return f"{error} Trying again."
    return "\n".join(f"{name} had died and was started again." for name in mended)


def require_free_port(host: str, port: int) -> None:
    """Raise CommandError if nobody could listen there now."""
    try:
        if not 0 < port < 2**16:
            raise OverflowError(f"ports go from 1 to {2**16 - 1}")
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            reason = "another program listens there; stop it, or choose another port"
        else:
            reason = f"{getattr(error, 'strerror', None) or error}; choose another one"
        raise CommandError(f"Port {port} of {host} cannot be used: {reason} (make run PORT=8001).") from error


def require_servers() -> None:
    """Raise CommandError if the database or Redis does not answer."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(
            f"The database does not answer ({first_line(error)}); look at DATABASE_URL."
        ) from error
    try:
        Redis.from_url(settings.REDIS_URL).ping()
    except RedisError as error:
        raise CommandError(f"Redis does not answer ({error}); look at REDIS_URL.") from error


def first_line(error: Exception) -> str:
    """Return the line of a database error that says what is wrong."""
    return str(error).strip().split("\n")[0]


def fingerprint_of_assets() -> str:
    """Return a text that differs when any static file was added, removed or changed."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def programs(host: str, port: int) -> dict[str, list[str]]:
    """Return the programs to run, by the name their lines are marked with."""
    python = [sys.executable, "-m"]
    configuration = str(settings.BASE_DIR / "gunicorn.conf.py")
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    celery = [*python, "celery", "--app", "alliance.celery", "--workdir", str(settings.BASE_DIR), "--quiet"]
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
        "worker": [
            *celery,
            "worker",
            "--loglevel",
            "INFO",
            "--concurrency",
            "2",
            "--without-mingle",
            "--without-gossip",
        ],
        "beat": [*celery, "beat", "--loglevel", "WARNING", "--pidfile="],
    }


def program_environment(address: str, metrics: str) -> dict[str, str]:
    """Return the programs' environment: ours, with what a terminal and this address ask for."""
    wanted = {
        "PUBLIC_URL": address,
        "LOG_JSON": "false",
        "PYTHONUNBUFFERED": "1",
        # Said at every start to whoever is root in a container; worth nothing here.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
        "PROMETHEUS_MULTIPROC_DIR": metrics,
    }
    return {**wanted, **os.environ}


def visible_host(host: str) -> str:
    """Return where a browser on this machine finds a server that listens on a host."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- named, not bound
    return f"[{host}]" if ":" in host else host


def answers(address: str) -> bool:
    """Tell whether the web server answers."""
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5) as response:  # noqa: S310 -- our own http
            return response.status == 200
    except urllib.error.HTTPError as error:
        # It answers, if only to say that this host is not among ALLOWED_HOSTS.
        return error.code < 500
    except OSError:
        return False


@contextmanager
def the_only_one(home: Path) -> Iterator[None]:
    """Refuse to run twice on the same data: two beats would send every job twice."""
    with (home / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(f"The alliance in {home} is running already, in another terminal.") from None
        yield


def summary(address: str) -> str:
    """Return the short table of a start: where to go, and who to be."""
    rows = [(name, address + path) for name, path in _pages().items()]
    if "EMAIL_URL" not in os.environ:
        rows.append(("Test mail", settings.EMAIL_FILE_PATH))
    if "DATABASE_URL" not in os.environ:
        rows.append(("Data", str(embedded.server_root())))
    logins = _demo_logins()
    lines = ["", *(f"  {name:<10} {where}" for name, where in rows)]
    if logins:
        lines += ["", f"  {'Log-in':<10} {'E-mail':<34} Password"]
        lines += [f"  {role:<10} {email:<34} {password}" for role, email, password in logins]
    return "\n".join([*lines, "", "  Ctrl-C stops everything and keeps the data.", ""])


def _pages() -> dict[str, str]:
    pages = {}
    for name, view in PAGES.items():
        try:
            pages[name] = reverse(view)
        except NoReverseMatch:
            continue
    return pages


def _demo_logins() -> list[DemoLogin]:
    return list(DEMO_LOGINS) if Heartbeat.objects.filter(name=DEMO).exists() else []
