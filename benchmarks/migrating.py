"""Run the migrations that a database lacks, one at a time, beside a writer; print how long each took.

Of the database of this checkout: `manage.py migrate` it to the last migrations of the release before
(`[tool.released.last-migrations]` in pyproject.toml), fill it by `python -m benchmarks.filling_tenants`, then
`python -m benchmarks.migrating`. The writer changes rows of large tables all the time, one a transaction, as
the server's role; its longest wait during a migration is printed beside the migration's time.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg2

# Nothing is changed, but rows are locked and written anew. Rows of any age: %s is between 0 and 1.
_WRITES: Final = tuple(
    f"UPDATE {table} SET {column} = {column} WHERE {key} = (SELECT {key} FROM {table}"
    f" WHERE {key} >= (SELECT min({key}) + ((max({key}) - min({key})) * %s)::bigint FROM {table})"
    f" ORDER BY {key} LIMIT 1)"
    for table, key, column in (
        ("alliance_organisation", "id", "name"),
        ("alliance_user", "id", "name"),
        ("alliance_member", "id", "role"),
        ("alliance_apikey", "id", "name"),
        ("parcels_merchant", "organisation_id", "limit_lifted"),
        ("parcels_pickupaddress", "id", "name"),
    )
)
_PAUSE: Final = 0.01


def main() -> None:
    """Print a line for each migration, and one for all."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    from alliance import embedded  # noqa: PLC0415 -- reads the environment

    with embedded.running():
        import django  # noqa: PLC0415

        django.setup()
        begun = time.perf_counter()
        with _writing() as longest:
            for app, name in _missing():
                seconds, waited = _migrated(app, name, longest)
                sys.stdout.write(
                    f"{app}.{name}: {seconds:.1f} s, a writer waited at most {1000 * waited:.0f} ms\n"
                )
                sys.stdout.flush()
        sys.stdout.write(f"{time.perf_counter() - begun:.1f} s in all\n")


def _missing() -> list[tuple[str, str]]:
    from django.db import connection  # noqa: PLC0415 -- after django.setup()
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [(migration.app_label, migration.name) for migration, _backwards in plan]


def _migrated(app: str, name: str, longest: Any) -> tuple[float, float]:
    """Return the seconds of a migration, and those that the writer waited at most."""
    from django.core.management import call_command  # noqa: PLC0415 -- after django.setup()

    longest.value = 0.0
    begun = time.perf_counter()
    call_command("migrate", app, name, verbosity=0, interactive=False)
    return time.perf_counter() - begun, longest.value


@contextmanager
def _writing() -> Iterator[Any]:
    """Write in another process; yield the seconds of its longest write, which the caller sets back."""
    from django.conf import settings  # noqa: PLC0415

    from benchmarks.database import parameters_of  # noqa: PLC0415 -- after django.setup()

    context = multiprocessing.get_context("spawn")
    longest, ended = context.Value("d", 0.0), context.Event()
    parameters = parameters_of(settings.DATABASES["default"]["NAME"])
    writer = context.Process(target=_write, args=(parameters, longest, ended), daemon=True)
    writer.start()
    try:
        yield longest
        if not writer.is_alive():
            raise RuntimeError("The writer ended with an error.")
    finally:
        ended.set()
        writer.join(30)


def _write(parameters: dict[str, Any], longest: Any, ended: Any) -> None:
    with closing(psycopg2.connect(**parameters)) as connection:
        turn = 0
        while not ended.is_set():
            # Spread over the table, always in the same order.
            statement, place = _WRITES[turn % len(_WRITES)], turn * 0.618 % 1
            begun = time.perf_counter()
            with connection, connection.cursor() as cursor:
                cursor.execute("SET LOCAL alliance.scope = 'all'")
                cursor.execute(statement, [place])
            longest.value = max(longest.value, time.perf_counter() - begun)
            turn += 1
            ended.wait(_PAUSE)


if __name__ == "__main__":
    main()
