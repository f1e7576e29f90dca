"""`manage.py reset`: drop the embedded servers' data and start over."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alliance import embedded


class Command(BaseCommand):
    help = "Drops the embedded servers' data, test mail and uploads. Touches no server of your own."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, yes: bool, **options: Any) -> None:
        """Drop everything in the state folder, after a confirmation unless --yes was given."""
        folder = embedded.home()
        if not yes and input(f"Drop all data in {folder}? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was dropped.")
        embedded.drop_everything()
        self.stdout.write(f"Dropped the data in {folder}.")
