"""manage.py load_holidays: public holidays as closures."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alliance.tenancy import Scope, scope
from slas.holidays import FIRST_YEAR
from slas.services.holidays import load_holidays


class Command(BaseCommand):
    help = "Load China's public holidays as closures; again after updating the packages that know them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", type=int, default=FIRST_YEAR, dest="first", help="first year")
        parser.add_argument("--to", type=int, default=None, dest="last", help="last year")

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = options["first"], options["last"]
        if not 2004 <= first <= (last or first) <= 2085:
            raise CommandError("Years run from 2004 to 2085, the first before the last.")
        with scope(Scope.everything()):
            done = load_holidays(first_year=first, last_year=last)
        self.stdout.write(
            f"{done.added} days added, {done.removed} removed, {done.kept} kept;"
            f" schedules are published up to {done.last_published_year}."
        )
