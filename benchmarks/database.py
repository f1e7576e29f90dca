"""An empty database of the benchmarks' own: nothing of the product's data is touched."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

# For settings here and in every process we start.
_ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    "BENCH_DATABASE": "bench_alliance",
    # As many calls a minute as come: one client sends here what hundreds would.
    "API_RATE_PER_MINUTE": "10000000",
    "TRACKING_RATE_PER_MINUTE": "10000000",
}


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
    with django_ready():
        parameters = _make(name)
        try:
            yield parameters
        finally:
            from django.db import connections  # noqa: PLC0415 -- needs the settings

            connections.close_all()
            drop(name)


def drop(name: str) -> None:
    """Drop a database that only we are connected to, if it is there.

    Not WITH (FORCE): that would have to end the server's own autovacuum, which is not ours to end. Without it
    the server sees to that itself.
    """
    administer(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{name}' AND usename = current_user AND pid <> pg_backend_pid()"
    )
    administer(f"DROP DATABASE IF EXISTS {name}")


def administer(statement: str) -> None:
    """Run a statement outside the benchmarks' database."""
    connection = psycopg2.connect(**parameters_of("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


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
