"""Import parcels carried before joining the alliance from a CSV with their original promises."""

import csv
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from alliance.errors import InvalidInput
from alliance.tenancy import Actor
from parcels.history.patience import PATIENCE
from parcels.history.rows import COLUMNS, Problem, read_history
from parcels.history.services import WRITERS, ImportReport, import_history

SHOWN = 20


class Command(BaseCommand):
    help = (
        f"Import history from a CSV with the columns {', '.join(COLUMNS)}. May run again: nothing is doubled."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--create", action="store_true", help="create merchants and couriers not yet known"
        )
        parser.add_argument(
            "--writers", type=int, choices=range(1, 17), default=WRITERS, metavar="N",
            help="threads that write to the database, up to 16 (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument("--problems", type=Path, help="write every problem to this CSV as well")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = self.reported_at = time.monotonic()
        self.shown = 0
        with ExitStack() as stack:
            try:
                file = stack.enter_context(options["file"].open("rb"))
                report_file = options["problems"]
                out = (
                    stack.enter_context(report_file.open("w", encoding="utf-8", newline=""))
                    if report_file
                    else None
                )
            except OSError as error:
                raise CommandError(f"Cannot open {error.filename}: {error.strerror}.") from None
            self.writer = csv.writer(out) if out else None
            if self.writer:
                self.writer.writerow(["line", "column", "kind", "problem"])
            try:
                report = import_history(
                    actor=Actor.system("import_history"),
                    rows=read_history(file, now=timezone.now()),
                    create=options["create"],
                    now=timezone.now(),
                    writers=options["writers"],
                    on_progress=self.progress,
                    on_problem=self.problem,
                    on_wait=self.wait,
                )
            except InvalidInput as refusal:
                raise CommandError(refusal.errors[0].message) from None
        self.summary(report)

    def progress(self, report: ImportReport) -> None:
        now = time.monotonic()
        if now - self.reported_at >= 1:
            self.reported_at = now
            rate = report.rows / (now - self.started)
            self.stderr.write(f"{report.rows:,} rows, {rate:,.0f} a second, {report.bad:,} bad")

    def wait(self, error: Exception) -> None:
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        self.stderr.write(
            f"The database does not take rows ({cause}). Trying again, for {PATIENCE / 60:.0f} minutes."
        )

    def problem(self, problem: Problem) -> None:
        kind = "kept" if problem.is_warning else "left out"
        if self.writer:
            self.writer.writerow([problem.line, problem.column, kind, problem.message])
        self.shown += 1
        if self.shown <= SHOWN:
            where = f"line {problem.line}" + (f", {problem.column}" if problem.column else "")
            self.stderr.write(f"{where} ({kind}): {problem.message}")
        elif self.shown == SHOWN + 1:
            self.stderr.write("... further problems are not shown; --problems FILE writes all of them.")

    def summary(self, report: ImportReport) -> None:
        for name in report.created:
            self.stdout.write(f"created {name}")
        self.stdout.write(
            f"{report.rows:,} rows: {report.new:,} new parcels, {report.known:,} known already,"
            f" {report.bad:,} bad, {report.warnings:,} kept with a warning."
        )
