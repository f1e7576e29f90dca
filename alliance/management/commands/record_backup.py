"""`manage.py record_backup`: note a backup by pg_basebackup that was verified, for the health check."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from alliance import backups


class Command(BaseCommand):
    help = (
        "Note a backup that pg_basebackup took and pg_verifybackup found whole, so that its age is watched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="folder of the backup, with its backup_manifest")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backup = backups.read_manifest(options["folder"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(
                f"{options['folder'] / backups.MANIFEST} cannot be read ({error}):"
                " name the folder of a backup that pg_basebackup has finished."
            ) from error
        is_last = backups.record(backup)
        self.stdout.write(
            f"{backup.kind} backup {backup.name} of {backup.at:%Y-%m-%d %H:%M:%S} UTC,"
            f" {filesizeformat(backup.bytes)}: {'noted' if is_last else 'a later one is noted already'}."
        )
