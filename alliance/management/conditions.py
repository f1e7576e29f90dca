"""What `manage.py up` requires before it starts: a free port, servers, data of ours, and no other `up`."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from redis import Redis, RedisError


def require_free_port(host: str, port: int) -> None:
    """Raise CommandError if the port cannot be bound now."""
    try:
        if not 0 < port < 2**16:
            raise OverflowError(f"ports go from 1 to {2**16 - 1}")
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            reason = "another program listens there; stop it, or choose another port"
        else:
            reason = f"{getattr(error, 'strerror', None) or error}; choose another one"
        raise CommandError(f"Port {port} of {host} cannot be used: {reason} (make run PORT=8001).") from error


def require_servers() -> None:
    """Raise CommandError if the database or Redis does not answer."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(
            f"The database does not answer ({first_line(error)}); look at DATABASE_URL."
        ) from error
    try:
        Redis.from_url(settings.REDIS_URL, **settings.REDIS_OPTIONS).ping()
    except RedisError as error:
        raise CommandError(f"Redis does not answer ({error}); look at REDIS_URL.") from error


def require_known_migrations(loader: MigrationLoader) -> None:
    """Raise CommandError if the database has applied migrations of ours that this code does not have."""
    our_apps = {app.label for app in apps.get_app_configs() if Path(app.path).parent == settings.BASE_DIR}
    unknown = {key for key in loader.applied_migrations if key[0] in our_apps} - set(loader.disk_migrations)
    if unknown:
        example = ".".join(min(unknown))
        raise CommandError(
            f"The data was made by another version, with migrations that this one does not have ({example}):"
            " 'make reset' drops it and starts over."
        )


@contextmanager
def the_only_one(home: Path) -> Iterator[None]:
    """Refuse to run twice on the same data: two beats would send every task twice."""
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = f"process {lock.read() or 'unknown'}"
            raise CommandError(f"The alliance in {home} is running already, by {holder}.") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def first_line(error: Exception) -> str:
    """Return the first line of a database error, which says what is wrong."""
    return str(error).strip().split("\n")[0]
