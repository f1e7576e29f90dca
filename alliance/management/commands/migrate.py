"""`manage.py migrate`: Django's, as the owner of the tables."""

from typing import Any

from django.core.management.commands import migrate

from alliance.database.owner import as_owner


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate as the owner; what serves requests may change no table."""
        with as_owner(using=options["database"]):
            super().handle(*args, **options)
