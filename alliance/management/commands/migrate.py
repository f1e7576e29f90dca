"""`manage.py migrate`: Django's, as the owner of the tables, and in nobody's way."""

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg2.errorcodes import DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE

from alliance.database.owner import as_owner

# Writers queue behind a statement that waits for a table: at most so long, then they have their turn.
LOCK_TIMEOUT = "2s"
ATTEMPTS = 30
PAUSE = 3.0


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate as the owner; what serves requests may change no table.

        Waits for a lock only briefly and tries again, from the first migration that is not done. Raises
        CommandError when a lock is not to be had: what is done stays done, and it may be called again.
        """
        with as_owner(using=options["database"]):
            for attempt in range(1, ATTEMPTS + 1):
                with connections[options["database"]].cursor() as cursor:
                    cursor.execute("SET lock_timeout = %s", [LOCK_TIMEOUT])
                try:
                    super().handle(*args, **options)
                    return
                except OperationalError as error:
                    if getattr(error.__cause__, "pgcode", None) not in (
                        LOCK_NOT_AVAILABLE,
                        DEADLOCK_DETECTED,
                    ):
                        raise
                    reason = str(error).splitlines()[0]
                    if attempt == ATTEMPTS:
                        raise CommandError(
                            f"No lock in {ATTEMPTS} attempts: {reason}. Find the long transaction in"
                            " pg_stat_activity, and migrate again."
                        ) from None
                    self.stderr.write(f"\nWaiting for a lock, attempt {attempt} of {ATTEMPTS}: {reason}")
                time.sleep(PAUSE)
