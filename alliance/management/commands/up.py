"""`manage.py up`: the whole product in one foreground command."""

import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from alliance import embedded
from alliance.database import partitions, stored_functions
from alliance.database.owner import as_owner
from alliance.demo_logins import require_private
from alliance.demo_progress import DEMO
from alliance.embedded.errors import describe_os_errors
from alliance.embedded.mending import Mender
from alliance.management.collecting import Collecting
from alliance.management.conditions import (
    first_line,
    require_free_port,
    require_known_migrations,
    require_servers,
    the_only_one,
)
from alliance.management.programs import (
    NOT_WHOLE,
    add_programs,
    answers,
    program_environment,
    shared_folder,
    summary,
    visible_host,
)
from alliance.models import Heartbeat, Organisation, User
from alliance.supervision import Supervisor
from alliance.tenancy import Scope, scope


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
            with shared_folder() as folder:
                gate = folder / "go"
                # A new folder at each start: counters of an earlier run would be added to those of this one.
                environment = program_environment(address, metrics=str(folder))
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
                    gate.touch()
                except BaseException:
                    supervisor.abandon()
                    raise
                self._say(f"Ready to start after {time.monotonic() - begun:.1f} s.")
                supervisor.loop()
                mender.stop()
            if supervisor.failure:
                raise CommandError(supervisor.failure)
        self._say("Everything was stopped; the data is kept.")
        # Python collects garbage once more as it ends: seconds, with all that migrations have made.
        gc.freeze()

    def _say(self, text: str) -> None:
        # As the supervisor's lines: what cannot be written, as on a full disk, stops nothing.
        with suppress(OSError):
            self.stdout.write(text)
            self.stdout.flush()

    def _collect_assets(self) -> Collecting:
        """Start collecting the pages' assets if any was added, removed or changed."""
        assets = Collecting()
        if assets.has_changed:
            self._say("Collecting the pages' assets ...")
            assets.begin()
        return assets

    def _prepare_database(self, executor: MigrationExecutor) -> None:
        with preparing_database(), as_owner():
            # This comparison is fast; `migrate` without pending migrations takes seconds.
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                self._say("Migrating the database ...")
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
            self._say(NOT_WHOLE)
        return not demo and DEMO in get_commands() and not _has_members()


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


def _has_members() -> bool:
    """Whether anybody real is here: the demo's log-ins never stand beside theirs."""
    if Organisation._meta.db_table not in connection.introspection.table_names():
        return False
    with scope(Scope.everything()):
        return Organisation.objects.exists() or User.objects.exists()
