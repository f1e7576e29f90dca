"""manage.py rebuild_histograms: rebuild lateness, excuses and progress from the commitments."""

from typing import Any

from django.core.management.base import BaseCommand

from slas.audits.rebuilding import rebuild_histograms


class Command(BaseCommand):
    help = "Make the histograms anew from the commitments, when a release counts them by another rule."

    def handle(self, *args: Any, **options: Any) -> None:
        rebuilt = rebuild_histograms()
        self.stdout.write(f"Made anew: {rebuilt.cells:,} cells' marks, {rebuilt.progress:,} of progress.")
