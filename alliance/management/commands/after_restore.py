"""`manage.py after_restore`: what has to be done once, before a restored database is served."""

from typing import Any

from django.core.management.base import BaseCommand

from alliance.restoring import finish_restore
from alliance.tenancy import Actor


class Command(BaseCommand):
    help = (
        "After a restore to an earlier moment: skip ids that were handed out, end sessions, empty the cache."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done = finish_restore(actor=Actor.command_line())
        if done.reaches_to:
            self.stdout.write(
                f"The last sign of life in the data is of {done.reaches_to:%Y-%m-%d %H:%M:%S} UTC."
            )
        self.stdout.write(f"Ids were skipped in {done.sequences} sequences, {done.sessions} sessions ended.")
        if done.is_cache_empty:
            self.stdout.write("The cache and its queue of tasks were emptied.")
        else:
            self.stdout.write("Valkey does not answer: restart it before anything else, it keeps nothing.")
