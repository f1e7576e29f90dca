"""`manage.py make_messages`: collect the English texts of code and templates for translators."""

import os
import re
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import makemessages

_MADE_AT: Final = re.compile(r'^"POT-Creation-Date: .*$', re.MULTILINE)


class Command(makemessages.Command):
    """Update locale/<language>/LC_MESSAGES/django.po. Needs GNU gettext on the machine."""

    help = "Collect the texts to translate into locale/; build_assets compiles them."
    # In the order of the texts, wherever they stand: a text that moves changes nothing.
    msguniq_options = [*makemessages.Command.msguniq_options, "--sort-output"]
    # A fuzzy translation is worse than a missing one, which fails a test and then gets written.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching", "--sort-output"]
    msgattrib_options = [*makemessages.Command.msgattrib_options, "--sort-output"]

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="Change nothing; fail if texts are missing.")

    def handle(self, *args: Any, **options: Any) -> None:
        sources = settings.BASE_DIR / "locale"
        # Settings point at build/locale with the compiled catalogues; the sources are in locale/.
        settings.LOCALE_PATHS = [sources]
        options["locale"] = options["locale"] or [folder.name for folder in sources.iterdir()]
        options["ignore_patterns"] += ["build/*", "node_modules/*", "tests/*", "docs/*"]
        # Line numbers would change the file with every commit.
        options.update(no_location=not options["add_location"], no_obsolete=True)
        # gettext uses paths relative to the current folder.
        os.chdir(settings.BASE_DIR)
        before = {path: path.read_text("utf-8") for path in sources.glob("*/LC_MESSAGES/django.po")}
        super().handle(*args, **options)
        if options["check"]:
            _require_unchanged(before)


def _require_unchanged(before: dict[Path, str]) -> None:
    """Restore the catalogues, and raise CommandError if collecting changed any of them."""
    changed = []
    for path, text in before.items():
        if _MADE_AT.sub("", path.read_text("utf-8")) != _MADE_AT.sub("", text):
            changed.append(str(path))
        path.write_text(text, "utf-8")
    if changed:
        raise CommandError(f"Run `make messages` and translate what is new in {', '.join(changed)}.")
