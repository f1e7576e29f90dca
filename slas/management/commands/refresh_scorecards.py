"""manage.py refresh_scorecards: compute the scorecards now, as the nightly task does."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from slas.scorecards.services.scorecards import refresh_scorecards


class Command(BaseCommand):
    help = "Work out the scorecards of the months that are not final, and grade couriers."

    def handle(self, *args: Any, **options: Any) -> None:
        result = refresh_scorecards(now=timezone.now())
        if result.busy:
            raise CommandError("Another run is at it.")
        self.stdout.write(
            f"{result.cards} scorecards worked out, {result.final} of them final,"
            f" {result.grades} grades changed"
        )
