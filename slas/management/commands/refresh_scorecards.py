"""Work the scorecards out now, as beat does every night."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from slas.scorecards.services.scorecards import refresh_scorecards


class Command(BaseCommand):
    help = "Work out the scorecards of the months that are not final, and grade couriers."

    def handle(self, *args: Any, **options: Any) -> None:
        done = refresh_scorecards(now=timezone.now())
        if done.busy:
            raise CommandError("Another run is at it.")
        self.stdout.write(
            f"{done.cards} scorecards worked out, {done.final} of them final, {done.grades} grades changed"
        )
