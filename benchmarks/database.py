"""An empty database of the benchmarks' own: nothing of the product's data is touched.

Such a database takes gigabytes. It goes with its run, and when that was killed outright, with the next one.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg2
from psycopg2.errors import ObjectInUse

from benchmarks.stopping import end_clients

# For settings here and in every process we start.
_ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    "BENCH_DATABASE": "bench_alliance",
    # As many calls a minute as come: one client sends here what hundreds would.
    "API_RATE_PER_MINUTE": "10000000",
    "TRACKING_RATE_PER_MINUTE": "10000000",
}


# Names of all databases of benchmarks, as PostgreSQL's LIKE has them.
_OURS: Final = ("bench\\_%", "soak\\_%")
# With a hash of the database's name: the lock of the run that uses it, which goes with its connection.
_LOCK: Final = 5_264_900
_DROP_SECONDS: Final = 20.0


@contextmanager
def django_ready() -> Iterator[None]:
    """Have the servers running and Django set up inside."""
    from alliance import embedded  # noqa: PLC0415 -- reads the environment

    os.environ.update({**_ENVIRONMENT, "BENCH_DATABASE": os.environ.get("BENCH_DATABASE", "bench_alliance")})
    with embedded.running():
        import django  # noqa: PLC0415

        django.setup()
        yield


@contextmanager
def own_database(name: str) -> Iterator[dict[str, Any]]:
    """Have Django, here and in processes started inside, use an empty, migrated database; drop it after."""
    os.environ["BENCH_DATABASE"] = name
    with django_ready(), closing(_lock(name)):
        drop_stale()
        try:
            yield _make(name)
        finally:
            from django.db import connections  # noqa: PLC0415 -- needs the settings

            end_clients()
            connections.close_all()
            drop(name)


def drop_stale() -> list[str]:
    """Drop what runs left behind that were killed outright; return the names."""
    stale = []
    with closing(psycopg2.connect(**parameters_of("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba"
            " WHERE datname LIKE ANY (%s) AND rolname = current_user",
            (list(_OURS),),
        )
        for (name,) in cursor.fetchall():
            cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCK, name))
            if cursor.fetchone() == (True,):
                drop(name)
                stale.append(name)
    return stale


def _lock(name: str) -> "psycopg2.extensions.connection":
    """Return a connection that keeps others from taking this database for one left behind."""
    connection = psycopg2.connect(**parameters_of("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCK, name))
        if cursor.fetchone() != (True,):
            connection.close()
            raise SystemExit(f"Another run uses the database {name}: wait for it, or stop it.")
    return connection


def drop(name: str) -> None:
    """Drop a database that only we are connected to, if it is there.

    Not WITH (FORCE): that would have to end the server's own autovacuum, which is not ours to end. Without it
    the server sees to that itself.
    """
    until = time.monotonic() + _DROP_SECONDS
    while True:
        administer(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND usename = current_user AND pid <> pg_backend_pid()"
        )
        try:
            administer(f"DROP DATABASE IF EXISTS {name}")
            return
        except ObjectInUse:
            # A program that is ending has connected once more.
            if time.monotonic() > until:
                raise


def administer(statement: str) -> None:
    """Run a statement outside the benchmarks' database."""
    with closing(psycopg2.connect(**parameters_of("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def parameters_of(name: str) -> dict[str, Any]:
    """Return what psycopg2 needs to connect to a database as the application's role."""
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    database = settings.DATABASES["default"]
    return {
        "dbname": name,
        "user": database["USER"],
        "password": database["PASSWORD"] or None,
        "host": database["HOST"],
        "port": database["PORT"] or None,
    }


def say(text: str) -> None:
    """Tell whoever waits how far we are."""
    sys.stderr.write(f"{text}\n")


def _make(name: str) -> dict[str, Any]:
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    drop(name)
    administer(f"CREATE DATABASE {name}")
    connections.close_all()
    settings.DATABASES["default"]["NAME"] = name
    settings.CACHES["default"]["KEY_PREFIX"] = name
    begun = time.perf_counter()
    call_command("migrate", verbosity=0, interactive=False)
    say(f"migrated in {time.perf_counter() - begun:.1f} s")
    return parameters_of(name)
