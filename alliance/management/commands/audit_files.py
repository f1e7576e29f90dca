"""`manage.py audit_files`: compare uploads and archived months with what the database says of them."""

import time
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from alliance import stored_files

YOUNG_SECONDS: Final = 600


class Command(BaseCommand):
    help = "List uploads and archived months that are missing or damaged, and files that no row names."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--contents", action="store_true", help="also read files and compare digests")
        parser.add_argument(
            "--stopped",
            action="store_true",
            help="nothing else runs: also list files of the last ten minutes that no row names",
        )
        parser.add_argument("--set-aside", type=Path, metavar="FOLDER", help="move files without a row there")

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        folder = options["set_aside"]
        for difference in stored_files.audit_files(
            contents=options["contents"],
            changed_before=None if options["stopped"] else time.time() - YOUNG_SECONDS,
        ):
            self.stdout.write(str(difference))
            counts[difference.problem.partition(",")[0]] += 1
            if folder and difference.problem == stored_files.UNNAMED:
                stored_files.set_aside(difference.path, folder)
        if not counts:
            self.stdout.write("Files and rows agree.")
            return
        text = ", ".join(f"{count} {problem}" for problem, count in sorted(counts.items()))
        if folder and counts[stored_files.UNNAMED]:
            text += f"; those without a row are in {folder} now"
        raise CommandError(f"Files: {text}.")
