"""`manage.py build_assets`: browser libraries from npm, translations from .po files."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from alliance.portal import assets


class Command(BaseCommand):
    """Copy browser libraries to build/static/vendor and compile translations to build/locale."""

    help = "Fetch the browser libraries named in package-lock.json and compile the translations."
    # Assets are built before there is a database.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--force", action="store_true", help="run npm even when nothing changed")

    def handle(self, *args: Any, **options: Any) -> None:
        quiet = options["verbosity"] == 0
        try:
            assets.build(
                settings.BASE_DIR,
                say=(lambda _text: None) if quiet else self.stdout.write,
                force=options["force"],
            )
        except assets.AssetError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or 'build'}: {error.strerror}.") from error
