"""`manage.py distribute` on a database with an alliance in it, killed again and again on its way."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from random import Random
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.conf import settings

from alliance.database.placements import BY_PARCEL, LOCAL, REFERENCE
from alliance.database.together import PLANNED_BY_CITUS
from tests.citus import servers

DATABASE = "test_distributing"
STEP = re.compile(r" *(\d+)/(\d+)  ")


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The addresses of a database of one server, with a demo in it, beside workers that are empty."""
    servers.make_database(DATABASE)
    addresses = {
        name: urlsplit(url)._replace(path=f"/{DATABASE}").geturl()
        for name, url in servers.addresses().items()
    }
    environment = {**os.environ, **addresses}
    for command in (["migrate"], ["demo", "--days", "2"]):
        manage(environment, *command)
    yield environment
    servers.drop_database(DATABASE)


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def kill_in_step(environment: dict[str, str], step: int, *, after: float) -> bool:
    """Distribute, and kill the program some seconds into a step; return whether it came so far."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "distribute", "--shards", "4"],
        cwd=settings.BASE_DIR,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if (begun := STEP.match(line)) and int(begun[1]) == step:
                time.sleep(after)
                program.kill()
                return True
    return False


def wait_for_its_session() -> None:
    """Wait until the server has noticed; the next call would refuse to begin beside it."""
    deadline = time.monotonic() + 60
    statement = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend'"
        " AND pid <> pg_backend_pid() AND NOT starts_with(application_name, 'citus')"
    )
    while servers.on_coordinator(DATABASE, statement):
        assert time.monotonic() < deadline, "The killed program's session goes on."
        time.sleep(0.5)


def counts() -> dict[str, int]:
    tables = [*BY_PARCEL, *REFERENCE, *LOCAL]
    return {
        table: servers.on_coordinator(DATABASE, f"SELECT count(*) FROM {table}")[0][0] for table in tables
    }


def test_killed_anywhere_it_is_called_again_and_loses_nothing(environment: dict[str, str]) -> None:
    before = counts()
    assert min(before[table] for table in ("parcels_parcel", "parcels_scan", "alliance_event")) > 0
    assert "have the homes of couriers follow" in manage(environment, "distribute", "--dry-run")
    random = Random(14)
    # As steps are done, those that are left are counted from 1 again.
    for step in (2, 2, 5, 6, 4, 11, 9, 7):
        kill_in_step(environment, step, after=random.choice((0.0, 0.05, 0.3)))
        wait_for_its_session()
        assert counts() == before
    assert "relations alike" in manage(environment, "distribute", "--shards", "4")
    assert counts() == before
    # What is done is done; the server's role reads and writes again.
    again = manage(environment, "distribute", "--dry-run", "--shards", "4")
    assert not re.search(r"divide|copy |homes of couriers", again)
    assert "agree with the commitments" in manage(environment, "audit_rates")


def test_tables_of_others_and_views_stay_as_they_were(environment: dict[str, str]) -> None:
    server = urlsplit(environment["DATABASE_URL"]).username
    servers.on_coordinator(DATABASE, f"CREATE TABLE theirs (); GRANT SELECT ON theirs TO {server}")
    manage(environment, "distribute", "--shards", "4")
    may = f"SELECT has_table_privilege('{server}', 'theirs', 'SELECT')"
    assert servers.on_coordinator(DATABASE, may) == [(True,)]
    servers.on_coordinator(DATABASE, "DROP TABLE theirs")


def test_a_running_product_and_a_worker_are_refused(environment: dict[str, str]) -> None:
    with closing(psycopg2.connect(environment["DATABASE_URL"], application_name="gunicorn")):
        said = refused(environment)
    assert "is connected by gunicorn (one session)" in said
    owner = urlsplit(environment["OWNER_DATABASE_URL"])
    [(place,)] = servers.on_coordinator(
        DATABASE, "SELECT nodename || ':' || nodeport FROM pg_dist_node WHERE groupid > 0 LIMIT 1"
    )
    worker = owner._replace(netloc=f"{owner.netloc.rpartition('@')[0]}@{place}").geturl()
    assert "This is a worker" in refused(environment | {"OWNER_DATABASE_URL": worker})


def test_what_others_made_of_a_table_is_refused_by_name(environment: dict[str, str]) -> None:
    servers.on_coordinator(DATABASE, "CREATE VIEW theirs AS SELECT id FROM alliance_city")
    assert "depends on alliance_city: drop it" in refused(environment)
    servers.on_coordinator(DATABASE, "DROP VIEW theirs")


def refused(environment: dict[str, str]) -> str:
    with pytest.raises(AssertionError) as failed:
        manage(environment, "distribute", "--dry-run")
    return str(failed.value)


def test_right_to_fence_workers_off_is_asked_for(environment: dict[str, str]) -> None:
    owner = urlsplit(environment["OWNER_DATABASE_URL"]).username
    grant = f"GRANT SELECT, INSERT, DELETE ON pg_dist_poolinfo TO {owner}"
    assert grant not in manage(environment, "distribute", "--dry-run")
    servers.on_coordinator(DATABASE, f"REVOKE ALL ON pg_dist_poolinfo FROM {owner}")
    assert grant in manage(environment, "distribute", "--dry-run")
    servers.on_coordinator(DATABASE, grant)


def test_what_a_release_before_had_on_every_node_is_taken_back(environment: dict[str, str]) -> None:
    # Citus then has all that keys tie to it, as it had.
    servers.on_coordinator(DATABASE, "SELECT create_reference_table('alliance_organisation') -- citus")
    before, keys = counts(), foreign_keys()
    assert "take back to the coordinator alone" in manage(environment, "distribute", "--dry-run")
    kill_in_step(environment, 2, after=0.3)
    wait_for_its_session()
    assert counts() == before
    manage(environment, "distribute", "--shards", "4")
    assert (counts(), foreign_keys()) == (before, keys)
    managed = "SELECT logicalrelid::text FROM pg_dist_partition WHERE partmethod = 'n' AND repmodel <> 't'"
    assert servers.on_coordinator(DATABASE, managed) == [(PLANNED_BY_CITUS,)]
    # Ids go on behind those that are taken.
    password = {"DJANGO_SUPERUSER_PASSWORD": "correct-horse-battery"}
    manage(environment | password, "createsuperuser", "--noinput", "--email", "later@alliance.example")


def foreign_keys() -> list[tuple[str, str]]:
    """The keys of tables, not of their shards."""
    return servers.on_coordinator(
        DATABASE,
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'"
        " AND connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ '_[0-9]{6,}$'"
        " ORDER BY 1, 2",
    )
