"""`manage.py distribute`: from one server to a cluster, in steps."""

import time
from typing import Any, Final

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from psycopg2.errorcodes import LOCK_NOT_AVAILABLE

from alliance.database.distribution import plan, readiness
from alliance.database.distribution.nodes import nodes
from alliance.database.distribution.tables import DEFAULT_SHARDS, RowsDiffer
from alliance.database.owner import as_owner

_AGAIN: Final = "What was done stays; what was begun is undone. Call it again, and it goes on."


class Command(BaseCommand):
    help = "Divides the tables among the workers of a Citus cluster. May be cut off and called again."
    # The server's role is checked here, with the nodes; a table without a place is a problem of its own.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Check, say the steps, and change nothing."
        )
        parser.add_argument(
            "--shards",
            type=int,
            default=DEFAULT_SHARDS,
            help=f"A power of two up to {readiness.MOST_SHARDS}: the most workers there can ever be (32).",
        )

    def handle(self, *args: Any, dry_run: bool, shards: int, **options: Any) -> None:
        """Check what is needed, then do what is not done. Raises CommandError at the first problem."""
        if not readiness.is_power_of_two(shards) or shards > readiness.MOST_SHARDS:
            raise CommandError(f"--shards is a power of two up to {readiness.MOST_SHARDS}.")
        # Not counted as a session of the server.
        connection.close()
        with as_owner():
            try:
                self._distribute(shards, dry_run=dry_run)
            except (Error, RuntimeError, RowsDiffer) as error:
                raise CommandError(f"{error}".strip()) from error

    def _distribute(self, shards: int, *, dry_run: bool) -> None:
        if readiness.is_worker():
            raise CommandError("This is a worker: OWNER_DATABASE_URL has to name the coordinator.")
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError("Not all migrations have run: `migrate` first.")
        problems = readiness.problems(apps.get_models(include_auto_created=True), shards=shards)
        for problem in problems:
            self.stderr.write(f"- {problem}")
        if problems:
            raise CommandError("Nothing was changed: do this first.")
        for each in readiness.advice():
            self.stderr.write(f"- {each}")
        steps = [*plan.steps(shards=shards)]
        self.stdout.write(f"{readiness.database_name()} on " + ", ".join(str(node) for node in nodes()))
        if not dry_run:
            plan.prepare_session()
        for number, step in enumerate(steps, start=1):
            self.stdout.write(f"{number:2}/{len(steps)}  {step.text}")
            self.stdout.flush()
            if dry_run:
                continue
            begun = time.monotonic()
            try:
                came_of_it = step.do()
            except (Error, RuntimeError, RowsDiffer) as error:
                raise CommandError(said_of(error)) from error
            except KeyboardInterrupt:
                raise CommandError(f"Cut off. {_AGAIN}", returncode=130) from None
            self.stdout.write(f"       done in {time.monotonic() - begun:.1f} s {came_of_it}".rstrip())
        self.stdout.write("Nothing was changed." if dry_run else "Distributed: start the product again.")


def said_of(error: Exception) -> str:
    """Return what a step failed of, and what to do."""
    text = f"{error}".strip()
    if getattr(error.__cause__, "pgcode", None) == LOCK_NOT_AVAILABLE:
        text += ": another session holds it. pg_stat_activity shows who is idle in transaction; end it."
    return f"{text}\n{_AGAIN}"
