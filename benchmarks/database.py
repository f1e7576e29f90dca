"""A separate, empty database for benchmarks: the product's data is never touched.

It takes gigabytes, so it is dropped at the end of its run or, if that was killed, by the next run.
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

# The environment of the settings, here and in all child processes.
_ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    "BENCH_DATABASE": "bench_alliance",
    # No effective rate limit: one client here sends the load of hundreds.
    "API_RATE_PER_MINUTE": "10000000",
    "TRACKING_RATE_PER_MINUTE": "10000000",
    "SHOP_RATE_PER_MINUTE": "10000000",
}


# LIKE patterns of the names of all databases of benchmarks.
_OURS: Final = ("bench\\_%", "soak\\_%")
# Advisory lock, with a hash of the database's name, of the run that uses it; released with its connection.
_LOCK: Final = 5_264_900
_DROP_SECONDS: Final = 20.0


@contextmanager
def django_ready() -> Iterator[None]:
    """Run a block with the servers running and Django set up."""
    from alliance import embedded  # noqa: PLC0415 -- reads the environment

    os.environ.update({**_ENVIRONMENT, "BENCH_DATABASE": os.environ.get("BENCH_DATABASE", "bench_alliance")})
    with embedded.running():
        import django  # noqa: PLC0415

        django.setup()
        yield


@contextmanager
def own_database(name: str, *, template: str = "") -> Iterator[dict[str, Any]]:
    """Run a block, and processes started in it, with an empty, migrated database; drop it afterwards.

    With a template it is a copy of that database, to which nobody may be connected.
    """
    os.environ["BENCH_DATABASE"] = name
    with django_ready(), closing(_lock(name)):
        drop_stale()
        try:
            yield _make(name, template)
        finally:
            from django.db import connections  # noqa: PLC0415 -- needs the settings

            end_clients()
            connections.close_all()
            drop(name)


def drop_stale() -> list[str]:
    """Drop databases left by killed runs; return their names."""
    stale = []
    owner = parameters_of("postgres", is_owner=True)
    with closing(psycopg2.connect(**owner)) as connection, connection.cursor() as cursor:
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
    """Return a connection whose lock shows that this database is in use."""
    connection = psycopg2.connect(**parameters_of("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCK, name))
        if cursor.fetchone() != (True,):
            connection.close()
            raise SystemExit(f"Another run uses the database {name}: wait for it, or stop it.")
    return connection


def drop(name: str) -> None:
    """Drop a database to which only we are connected, if it exists.

    Not WITH (FORCE): our role may not terminate an autovacuum worker, which FORCE would try. Without it, the
    server cancels autovacuum itself.
    """
    until = time.monotonic() + _DROP_SECONDS
    server = parameters_of(name)["user"]
    while True:
        administer(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            f" AND datname = '{name}' AND usename IN (current_user, '{server}')"
        )
        try:
            administer(f"DROP DATABASE IF EXISTS {name}")
            return
        except ObjectInUse:
            # A program that is ending may have connected once more.
            if time.monotonic() > until:
                raise


def administer(statement: str, *, database: str = "postgres") -> None:
    """Run a statement as the owner, by default in another database than that of the benchmarks."""
    with closing(psycopg2.connect(**parameters_of(database, is_owner=True))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def parameters_of(name: str, *, is_owner: bool = False) -> dict[str, Any]:
    """Return psycopg2's parameters of a connection to a database, as the server's role or as the owner."""
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    database = settings.OWNER_DATABASE if is_owner else settings.DATABASES["default"]
    return {
        "dbname": name,
        "user": database["USER"],
        "password": database["PASSWORD"] or None,
        "host": database["HOST"],
        "port": database["PORT"] or None,
        **database["OPTIONS"],
    }


def print_progress(text: str) -> None:
    """Print a line about the progress."""
    sys.stderr.write(f"{text}\n")


def _make(name: str, template: str) -> dict[str, Any]:
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    drop(name)
    administer(f"CREATE DATABASE {name}{f' TEMPLATE {template}' if template else ''}")
    connections.close_all()
    settings.DATABASES["default"]["NAME"] = name
    settings.CACHES["default"]["KEY_PREFIX"] = name
    if template:
        return parameters_of(name)
    begun = time.perf_counter()
    call_command("migrate", verbosity=0, interactive=False)
    # A floor makes a table.
    server = settings.DATABASES["default"]["USER"]
    administer(f'GRANT CREATE ON SCHEMA public TO "{server}"', database=name)
    print_progress(f"migrated in {time.perf_counter() - begun:.1f} s")
    return parameters_of(name)
