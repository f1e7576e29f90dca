"""Where chaos happens: members with offers, a Valkey of its own, and what its processes are told."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from redis import Redis, RedisError

from alliance.embedded.folders import binaries
from alliance.models import City
from tests import factories
from tests.chaos.programs import die_with_us, free_port
from tests.slas.helpers.offers import offer

CITIES = ("CN-HGH", "CN-CTU")
PATIENCE = 30.0


def populate() -> None:
    """Two merchants, and two couriers that carry between two cities and within them, as much as there is."""
    for name in ("Lotus Tea", "Bamboo Books"):
        factories.merchant_organisation(name)
    cities = list(City.objects.filter(code__in=CITIES))
    for name in ("Swift Express", "Rival Logistics"):
        courier = factories.courier_organisation(name)
        for origin in cities:
            for destination in cities:
                offer(courier, origin, destination, daily_capacity=1_000_000)


def environment(redis_url: str) -> dict[str, str]:
    """Return the environment of a process that works on the test's database with that Valkey."""
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "REDIS_URL": redis_url,
        "LOG_LEVEL": "INFO",
        "LOG_JSON": "false",
        "PYTHONUNBUFFERED": "1",
        # Said by Celery at every start to whoever is root.
        "PYTHONWARNINGS": "ignore",
    }


def database_url() -> str:
    """Return the address of the database that this test works on, of its socket or its host."""
    return url_of(connection.settings_dict)


def owner_url() -> str:
    """Return the same for the owner of its tables."""
    return url_of({**settings.OWNER_DATABASE, "NAME": connection.settings_dict["NAME"]})


def url_of(found: dict[str, str]) -> str:
    user = quote(found["USER"], safe="")
    password = f":{quote(found['PASSWORD'], safe='')}" if found["PASSWORD"] else ""
    # A host that begins with a slash is the folder of a socket.
    host = found["HOST"]
    place = f":{found['PORT']}/{host}" if host.startswith("/") else f"{host}:{found['PORT'] or 5432}"
    return f"postgres://{user}{password}@{place}/{found['NAME']}"


@contextmanager
def own_valkey(folder: Path) -> Iterator[str]:
    """Run a Valkey nobody else uses; give its address."""
    port = free_port()
    password = secrets.token_urlsafe(16)
    address = f"redis://:{password}@127.0.0.1:{port}/0"
    settings = (
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\ndir "{folder}"\n'
    )
    with (folder / "valkey.log").open("wb") as log:
        server = subprocess.Popen(
            [str(binaries().valkey), "-"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_us,
        )
    try:
        assert server.stdin is not None
        server.stdin.write(settings.encode())
        server.stdin.close()
        _wait_for(address)
        yield address
    finally:
        server.kill()
        server.wait()


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    with Redis.from_url(address) as client:
        while True:
            try:
                client.ping()
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
