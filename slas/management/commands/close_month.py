"""manage.py close_month: make the statements of a month final."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from alliance.errors import AllianceError
from alliance.tenancy import Actor, Scope, scope
from slas.credits.months import InvalidMonth, parse_month, spell
from slas.credits.services.closing import MonthBooks, books_of, close_month, open_months
from slas.promises.prices import yuan


class Command(BaseCommand):
    help = "Close a month: one final statement for each merchant and courier with an entry in it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", nargs="?", help="YYYY-MM; left out, every month that is over")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be closed")

    def handle(self, *args: Any, **options: Any) -> None:
        with scope(Scope.everything()):
            months = self._months(options["month"])
            for month in months:
                self.stdout.write(_summary(self._books(month, dry=options["dry_run"]), options["dry_run"]))
        if not months:
            self.stdout.write("All past months are closed.")

    def _months(self, text: str | None) -> list[date]:
        if text is None:
            return open_months(now=timezone.now())
        try:
            return [parse_month(text)]
        except InvalidMonth:
            raise CommandError("Write the month as YYYY-MM, such as 2026-10.") from None

    def _books(self, month: date, *, dry: bool) -> MonthBooks:
        if dry:
            return books_of(month)
        try:
            return close_month(actor=Actor.system("manage.py close_month"), month=month, now=timezone.now())
        except AllianceError as error:
            raise CommandError(str(error.detail)) from None


def _summary(books: MonthBooks, dry: bool) -> str:
    state = "would be closed" if dry and not books.closed else "is closed"
    return (
        f"{spell(books.month)} {state}: {books.entries} entries, {books.statements} statements,"
        f" CNY {yuan(books.total_fen)} in total."
    )
