"""`manage.py up`: the whole product in one foreground command."""

import errno
import fcntl
import gc
import hashlib
import multiprocessing
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.urls import NoReverseMatch, reverse
from redis import Redis, RedisError

from alliance import embedded
from alliance.database import partitions, stored_functions
from alliance.database.owner import as_owner
from alliance.demo_logins import DEMO_LOGINS, require_private
from alliance.demo_progress import DEMO
from alliance.embedded.errors import describe_os_errors
from alliance.embedded.mending import Mender
from alliance.health import note_heartbeat
from alliance.models import Heartbeat, Organisation, User
from alliance.supervision import READY, Supervisor
from alliance.tenancy import Scope, scope

NOT_WHOLE = "The demo alliance is not whole: its loading was stopped. 'make reset' starts over."
COLLECT_SECONDS = 300.0
PAGES = {"Portal": "home", "Admin": "admin:index", "API docs": "api:docs"}


class Command(BaseCommand):
    help = "Starts everything: servers, web, worker and beat. Ctrl-C stops it all and keeps the data."
    # Checks need the database, which is not running yet; `handle` runs them later.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on.")
        parser.add_argument("--port", type=int, default=8000, help="Port to listen on.")
        parser.add_argument("--no-demo", action="store_true", help="Start with an empty alliance.")
        parser.add_argument(
            "--public-demo",
            action="store_true",
            help="Serve the demo to other machines.",
        )
        parser.add_argument("--demo-days", type=int, default=60, help="Days of parcels in the demo.")

    def handle(
        self,
        *args: Any,
        host: str,
        port: int,
        no_demo: bool,
        public_demo: bool,
        demo_days: int,
        **options: Any,
    ) -> None:
        """Prepare everything, then run until Ctrl-C or until a program ends."""
        require_free_port(host, port)
        begun = time.monotonic()
        with describe_os_errors("Preparing the pages' assets"):
            # Does nothing if nothing changed.
            call_command("build_assets", verbosity=0)
            assets = self._collect_assets()
        with embedded.running(), the_only_one(embedded.home()):
            require_servers()
            with preparing_database():
                self.check(databases=["default"])
                executor = MigrationExecutor(connection)
                require_known_migrations(executor.loader)
                demo = demo_so_far()
                loads_demo = demo_days > 0 and not no_demo and self._demo_is_due(demo)
            address = f"http://{visible_host(host)}:{port}"
            public_demo = public_demo or settings.PUBLIC_DEMO
            if (demo or loads_demo) and not public_demo:
                require_private(host, urlsplit(os.environ.get("PUBLIC_URL", "")).hostname)
            mender = Mender()
            supervisor = Supervisor(
                is_ready=lambda: answers(address),
                when_ready=summary(address, has_demo=bool(demo), loads_demo=loads_demo),
                output=sys.stdout,
                tend=mender.mend,
            )
            with TemporaryDirectory(prefix="courier-alliance-run-") as folder:
                gate = Path(folder) / "go"
                # A new folder at each start: counters of an earlier run would be added to those of this one.
                environment = program_environment(address, metrics=folder)
                environment |= {"WEB_WAITS_FOR": str(gate), "DEMO_LOADING": str(loads_demo)}
                environment |= {"PUBLIC_DEMO": str(public_demo)}
                demo_arguments = ["--days", str(demo_days)] + ["--public-demo"] * public_demo
                add_programs(supervisor, host, port, environment, demo=demo_arguments if loads_demo else [])
                # The web server imports its code while we migrate, and answers when the gate is open.
                supervisor.begin()
                try:
                    with stoppable():
                        self._prepare_database(executor)
                        assets.finish()
                except BaseException:
                    supervisor.abandon()
                    raise
                gate.touch()
                self.stdout.write(f"Ready to start after {time.monotonic() - begun:.1f} s.")
                supervisor.loop()
                mender.stop()
            if supervisor.failure:
                raise CommandError(supervisor.failure)
        self.stdout.write("Everything was stopped; the data is kept.")
        # Python collects garbage once more as it ends: seconds, with all that migrations have made.
        gc.freeze()

    def _collect_assets(self) -> "Collecting":
        """Start collecting the pages' assets if any was added, removed or changed."""
        assets = Collecting()
        if assets.has_changed:
            self.stdout.write("Collecting the pages' assets ...")
            self.stdout.flush()
            assets.begin()
        return assets

    def _prepare_database(self, executor: MigrationExecutor) -> None:
        with preparing_database(), as_owner():
            # This comparison is fast; `migrate` without pending migrations takes seconds.
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                self.stdout.write("Migrating the database ...")
                # Migrations create thousands of model classes: garbage collection takes a third of the time.
                gc.disable()
                call_command("migrate", interactive=False, verbosity=0)
                gc.enable()
            # The texts of stored statements change without a migration.
            for statement in stored_functions.missing():
                statement.install()
            partitions.set_storage()
            # Beat creates months, too, but after a long stop, or at the first start, there may be none yet.
            partitions.ensure_months_ahead()

    def _demo_is_due(self, demo: Heartbeat | None) -> bool:
        """Tell whether to load the demo alliance; print a warning if an earlier load was interrupted."""
        if demo and not demo.detail.get("whole"):
            self.stdout.write(NOT_WHOLE)
        return not demo and DEMO in get_commands() and not _has_members()


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


@contextmanager
def stoppable() -> Iterator[None]:
    """Exit after Ctrl-C even if Python drops its exception, as in a finalizer; migrations run thousands."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    signals: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        signals.append(number)
        sys.exit(128 + number)

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signals:
        sys.exit(128 + signals[0])


@contextmanager
def preparing_database() -> Iterator[None]:
    """Run a block and close the connection: the supervisor forks, and its children must not share it.

    Raises CommandError when the database fails.
    """
    try:
        yield
    except OperationalError as error:
        raise CommandError(f"The database could not be prepared: {first_line(error)}.") from error
    finally:
        connection.close()


def demo_so_far() -> Heartbeat | None:
    """Return the heartbeat of the demo; None if it was never loaded, or if the table does not exist yet."""
    if Heartbeat._meta.db_table not in connection.introspection.table_names():
        return None
    return Heartbeat.objects.filter(name=DEMO).first()


def require_known_migrations(loader: MigrationLoader) -> None:
    """Raise CommandError if the database has applied migrations of ours that this code does not have."""
    our_apps = {app.label for app in apps.get_app_configs() if Path(app.path).parent == settings.BASE_DIR}
    unknown = {key for key in loader.applied_migrations if key[0] in our_apps} - set(loader.disk_migrations)
    if unknown:
        example = ".".join(min(unknown))
        raise CommandError(
            f"The data was made by another version, with migrations that this one does not have ({example}):"
            " 'make reset' drops it and starts over."
        )


def add_programs(
    supervisor: Supervisor, host: str, port: int, environment: dict[str, str], *, demo: Sequence[str]
) -> None:
    """Add all programs, the web server first; without arguments for the demo none is loaded."""
    commands = programs(host, port)
    supervisor.add("web", commands["web"], environment)
    supervisor.add("worker", commands["worker"], environment, after=READY)
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


def require_free_port(host: str, port: int) -> None:
    """Raise CommandError if the port cannot be bound now."""
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
        Redis.from_url(settings.REDIS_URL, **settings.REDIS_OPTIONS).ping()
    except RedisError as error:
        raise CommandError(f"Redis does not answer ({error}); look at REDIS_URL.") from error


def first_line(error: Exception) -> str:
    """Return the first line of a database error, which says what is wrong."""
    return str(error).strip().split("\n")[0]


def _has_members() -> bool:
    """Whether anybody real is here: the demo's log-ins never stand beside theirs."""
    if Organisation._meta.db_table not in connection.introspection.table_names():
        return False
    with scope(Scope.everything()):
        return Organisation.objects.exists() or User.objects.exists()


def fingerprint_of_assets() -> str:
    """Return a text that changes when any static file is added, removed or changed."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def programs(host: str, port: int) -> dict[str, list[str]]:
    """Return the programs to run, by the name that prefixes their output."""
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


@contextmanager
def the_only_one(home: Path) -> Iterator[None]:
    """Refuse to run twice on the same data: two beats would send every task twice."""
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = f"process {lock.read() or 'unknown'}"
            raise CommandError(f"The alliance in {home} is running already, by {holder}.") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


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
