"""`manage.py make_messages`: collect the English texts of code and templates for translators."""

import os
from typing import Any

from django.conf import settings
from django.core.management.commands import makemessages


class Command(makemessages.Command):
    """Update locale/<language>/LC_MESSAGES/django.po. Needs GNU gettext on the machine."""

    help = "Collect the texts to translate into locale/; build_assets compiles them."
    # In the order of the texts, wherever they stand: a text that moves changes nothing.
    msguniq_options = [*makemessages.Command.msguniq_options, "--sort-output"]
    # A fuzzy translation is worse than a missing one, which fails a test and then gets written.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching", "--sort-output"]
    msgattrib_options = [*makemessages.Command.msgattrib_options, "--sort-output"]

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
        super().handle(*args, **options)
