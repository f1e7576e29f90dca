"""`manage.py retire_months`: move months older than the setting to Parquet files and drop them."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from alliance.database.partitions import Month
from alliance.errors import Conflict
from alliance.tenancy import Actor, Scope, scope
from parcels.retention import retiring
from parcels.retention.archive_files import Damaged


class Command(BaseCommand):
    help = "Say which months would move out to files; with --really, move them and drop them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--really", action="store_true", help="do it; without, nothing is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        months = retiring.months_due(now=now)
        if not months:
            self.stdout.write(f"No month is older than {settings.RETENTION_MONTHS} months.")
        for month in months:
            with scope(Scope.everything()):
                survey = retiring.survey(month, now=now)
            self._print(survey)
            if options["really"]:
                self._retire(month)
            elif survey.blockers:
                break
        if months and not options["really"]:
            self.stdout.write("Nothing was changed. Call it with --really to do so.")

    def _retire(self, month: Month) -> None:
        try:
            retired_month = retiring.retire_month(
                actor=Actor.system("retire_months"), month=month, now=timezone.now()
            )
        except (Conflict, Damaged, OSError) as error:
            raise CommandError(f"{month} stays: {error}") from error
        size = sum(table["bytes"] for table in retired_month.tables.values())
        self.stdout.write(f"{month} is in {retiring.folder_of(month)} ({filesizeformat(size)}), and dropped.")

    def _print(self, survey: retiring.Survey) -> None:
        if survey.begun:
            self.stdout.write(f"{survey.month}: begun and cut off; would be gone on with.")
            return
        rows = ", ".join(f"{table} {count:,}" for table, count in survey.rows.items())
        self.stdout.write(f"{survey.month}: {rows}; {filesizeformat(survey.bytes)} in the database.")
        for blocker in survey.blockers:
            self.stdout.write(f"  not yet: {blocker}")
