"""Workers of pytest-xdist side by side: who has which database, and who runs which tests.

One worker migrates the test database; all work on copies of it, which takes a fraction of the time.
"""

import fcntl
import os
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from xdist.scheduler import LoadScopeScheduling

from alliance.database import partitions
from alliance.database.owner import as_owner
from tests.citus import servers
from tests.helpers.owner import make_function

# "gw0" and so on; nothing in a run of one process, and in the process that only hands out tests.
NAME = os.environ.get("PYTEST_XDIST_WORKER", "")
# Valkey has 16 databases: the first is that of `make run`, the second that of a run of one process.
MOST = 14

# What starts servers, kills processes or measures waits: one worker does it all, one after the other, first.
ALONE = (
    "browser",
    "chaos",
    "hostile",
    "alliance/web/test_admission.py",
    "alliance/test_embedded.py",
    "alliance/test_supervision.py",
    "alliance/test_up.py",
    "benchmarks/test_stopping.py",
    "parcels/retention/test_months_under_load.py",
    "parcels/retention/test_retiring_crashes.py",
)
# Many short tests that share what is cheap to have twice: they fill the gaps at the end.
APART = ("access/test_access.py",)


def use_own_valkey_database() -> None:
    """Keep what tests flush and count apart from other workers, and from a running alliance."""
    number = 2 + int(NAME.removeprefix("gw")) if NAME else 1
    address = urlsplit(settings.REDIS_URL)._replace(path=f"/{number}").geturl()
    settings.REDIS_URL = settings.CACHES["default"]["LOCATION"] = address


# --- databases -------------------------------------------------------------------------------


def make_database(shared: Path, *, keep: bool) -> None:
    """Migrate the test database, or copy the one that a worker of this run has migrated."""
    migrated = connection.creation._get_test_db_name()
    name = f"{migrated}_{NAME}" if NAME else migrated
    with as_owner():
        # What is distributed cannot be copied, so each worker keeps its own.
        is_kept = keep and bool(servers.URL) and servers.has_database(name)
        if is_kept:
            connection.settings_dict["TEST"]["NAME"] = name
        elif servers.URL:
            servers.drop_database(name)
        if is_kept or not NAME:
            _migrate(keep=keep)
        else:
            done = shared / "migrated"
            with (shared / "migrating.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not done.exists():
                    if servers.URL:
                        # A run of one process may have distributed it.
                        servers.drop_database(migrated)
                    _migrate(keep=keep)
                    done.touch()
                connection.close()
                connection.settings_dict["NAME"] = migrated
                connection.creation.clone_test_db(suffix=NAME, verbosity=0, autoclobber=True)
            connection.settings_dict["NAME"] = name
            _prefer_speed()
        # From now on, and in all threads; the server's role, too.
        connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = name
        if servers.URL and not is_kept:
            connection.close()
            servers.spread_database(name)
            call_command("distribute", shards=servers.SHARDS, stdout=StringIO())
    connection.settings_dict["NAME"] = name


def is_copy() -> bool:
    """Whether this process's database is a copy of what another has migrated."""
    return bool(NAME) and not servers.URL


def drop_database() -> None:
    """Drop this process's database, and end what a test left connected to it."""
    name = connection.settings_dict["NAME"]
    connection.close()
    _drop(name)


def drop_migrated() -> None:
    """Drop what workers copied, when all have ended."""
    _drop(connection.creation._get_test_db_name())


def _drop(name: str) -> None:
    if servers.URL:
        servers.drop_database(name)
        return
    with as_owner(), connection.creation._nodb_cursor() as cursor:
        # A server program that was killed may be in its last statement yet. Not WITH (FORCE): it would try to
        # end autovacuum, which our role may not; without it the server cancels autovacuum itself.
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = %s AND usename IN (current_user, %s)",
            [name, settings.DATABASES["default"]["USER"]],
        )
        cursor.execute(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(name)}")


def _migrate(*, keep: bool) -> None:
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=keep)
    # The months that tests write into.
    partitions.ensure_months_ahead()
    make_function()
    _prefer_speed()


def _prefer_speed() -> None:
    """Wait for no disk at a commit: a test database need not survive a power cut."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    # Settings of a database are those of its next connections.
    connection.close()


# --- who runs what ---------------------------------------------------------------------------


class ByFile(LoadScopeScheduling):
    """Give out units of work.

    Not as xdist's groups: those are written into the ids of tests, which pytest 9.2 no longer lets it do.
    """

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    """Return what one worker gets at a time: a file, all that must be alone, or one test of what is apart."""
    place = _place(nodeid)
    if place.startswith(ALONE):
        return "alone"
    return nodeid if place in APART else place


def in_order(items: list[pytest.Item]) -> None:
    """Put first what one worker does alone, and what fills gaps last."""
    items.sort(key=lambda item: _turn(_place(item.nodeid)))


def _turn(place: str) -> int:
    return 0 if place.startswith(ALONE) else 2 if place in APART else 1


def _place(nodeid: str) -> str:
    return nodeid.partition("::")[0].removeprefix("tests/")
