"""manage.py load_holidays: load public holidays as closures."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alliance.errors import InvalidInput
from alliance.tenancy import Actor, Scope, scope
from slas.promises.holidays import FIRST_YEAR
from slas.promises.services.holidays import load_holidays


class Command(BaseCommand):
    help = "Load China's public holidays as closures; again after updating the packages that know them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", type=int, default=FIRST_YEAR, dest="first", help="first year")
        parser.add_argument("--to", type=int, default=None, dest="last", help="last year")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with scope(Scope.everything()):
                result = load_holidays(
                    actor=Actor.system("load_holidays"),
                    first_year=options["first"],
                    last_year=options["last"],
                )
        except InvalidInput as error:
            raise CommandError(" ".join(str(item.message) for item in error.errors)) from None
        self.stdout.write(
            f"{result.added} days added, {result.removed} removed, {result.kept} kept;"
            f" schedules are published up to {result.last_published_year}."
        )
