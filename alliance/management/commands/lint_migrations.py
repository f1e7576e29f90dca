"""`manage.py lint_migrations`: refuse migrations that would hold up the release that is serving."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations import Migration, RunPython
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from alliance.database.released import LAST_MIGRATIONS

# Of Squawk's rules, those on taste, and those on timeouts, which `migrate` sets itself.
_NOT_OURS = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamptz",
    "require-lock-timeout",
    "require-statement-timeout",
)
_CHANGE_OF_ROWS = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|WITH|LOCK|TRUNCATE)\b", re.IGNORECASE)
_SECONDS = 60


class Problem(NamedTuple):
    rule: str
    message: str


class Command(BaseCommand):
    help = (
        "Refuse migrations since the release before (alliance/database/released.py) that lock a table against"
        " its writers, or that its code could not live with. A migration may allow itself a rule, with the"
        " reason: lint_ignore = {rule: reason}."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        loader = MigrationLoader(connection, replace_migrations=False)
        migrations = list(new_migrations(loader))
        count = 0
        for migration in migrations:
            state = loader.project_state((migration.app_label, migration.name), at_end=False)
            for problem in problems_of(migration, state):
                count += 1
                self.stderr.write(
                    f"{migration.app_label}.{migration.name}: {problem.message} [{problem.rule}]"
                )
        if count:
            raise CommandError(f"{count} problems in {len(migrations)} migrations: see CONTRIBUTING.md.")
        self.stdout.write(f"{len(migrations)} migrations after the last release: no problem.")


def new_migrations(loader: MigrationLoader) -> Iterator[Migration]:
    """Yield our migrations that the release before does not have, in the order of the graph."""
    for app, last in LAST_MIGRATIONS.items():
        (leaf,) = loader.graph.leaf_nodes(app)
        released = set(loader.graph.forwards_plan((app, last)))
        for key in loader.graph.forwards_plan(leaf):
            if key[0] == app and key not in released:
                yield loader.graph.nodes[key]


def problems_of(migration: Migration, state: ProjectState) -> list[Problem]:
    """Return what a migration must not do to the tables of `state` while the release before serves."""
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    ignored = getattr(migration, "lint_ignore", {})
    found = [*_of_rows(migration, editor.collected_sql), *_of_locks(editor.collected_sql, migration.atomic)]
    return [problem for problem in found if problem.rule not in ignored]


def _of_rows(migration: Migration, statements: Sequence[str]) -> Iterator[Problem]:
    for statement in statements:
        if _CHANGE_OF_ROWS.match(statement):
            first = " ".join(statement.split())[:70]
            yield Problem(
                "rows-in-migration",
                f"“{first}” changes rows and holds their locks to its end: have a task do it in slices.",
            )
    if any(isinstance(operation, RunPython) for operation in migration.operations):
        yield Problem("python-in-migration", "nobody can see what locks Python code takes: say it.")


def _of_locks(statements: Sequence[str], is_atomic: bool) -> Iterator[Problem]:
    """Have Squawk judge statements, as a file of its own."""
    program = shutil.which("squawk", path=str(Path(sys.executable).parent))
    if program is None:
        raise CommandError("Squawk is not installed: pip install -r requirements-dev.lock.")
    command = [program, "--reporter=json", "--pg-version=15", f"--exclude={','.join(_NOT_OURS)}"]
    if is_atomic:
        command.append("--assume-in-transaction")
    text = "\n".join(statements)
    done = subprocess.run(  # noqa: S603 -- a linter of ours
        command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    try:
        remarks = json.loads(done.stdout or "[]")
    except ValueError:
        raise CommandError(f"Squawk failed: {done.stderr[-500:]}") from None
    lines = text.splitlines()
    for remark in remarks:
        where = lines[remark["line"]][:100] if remark["line"] < len(lines) else ""
        yield Problem(remark["rule_name"], f"{where} {remark['message']} {remark['help'] or ''}".strip())
