"""While a release is rolled out, the one before runs on its schema: here with its own tests of access.

They build one of everything there is, so that each table of ours is written, and send what programs send, as
every kind of actor.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.db import connection

from alliance.database.released import REVISION
from drills.rollout import TESTS, Failed, unpack
from tests.chaos import stage

OURS = ("alliance_", "couriers_", "parcels_", "slas_")
# Filled by migrations, and copied.
REFERENCE = {
    "alliance_city",
    "slas_servicetier",
    "slas_tierversion",
    "slas_creditschedule",
    "slas_scorerules",
}
# Django's permissions of single users: nobody is given any. The others: the release before has none.
LEFT_OUT = {
    "alliance_user_user_permissions",
    "alliance_apicall",
    "couriers_courierhome",
    "parcels_bookingtemplate",
    "parcels_dryrun",
    "parcels_freightday",
    "parcels_freightmonth",
    "parcels_freightstatement",
    "parcels_freightsum",
    "parcels_surcharge",
    "parcels_manifest",
    "parcels_parcelstory",
    "parcels_pickup",
    "parcels_savedrecipient",
    "parcels_returnpolicy",
    "parcels_returnrequest",
    "parcels_connectedshop",
    "parcels_shopmessage",
    "parcels_shoporder",
    "parcels_webhookdelivery",
    "parcels_webhookendpoint",
    "parcels_webhookhour",
    "parcels_webhookreplay",
    "parcels_webhooksecret",
    "slas_allocationrule",
    "slas_creditfold",
    "slas_creditsum",
}
# Of the role that asks.
_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
"""
# Partitions and the tables of single days count for the table above them.
_UNWRITTEN = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT FROM pg_inherits parent WHERE parent.inhrelid = c.oid)
    AND pg_stat_get_tuples_inserted(c.oid) + (
        SELECT coalesce(sum(pg_stat_get_tuples_inserted(i.inhrelid)), 0) FROM pg_inherits i
        WHERE i.inhparent = c.oid) = 0
"""


def as_owner(statement: str, database: str) -> list[tuple[Any, ...]]:
    """Run a statement beside the test's own database."""
    owner = settings.OWNER_DATABASE
    given = {
        "host": owner["HOST"],
        "port": owner["PORT"],
        "user": owner["USER"],
        "password": owner["PASSWORD"],
    }
    params = {name: value for name, value in given.items() if value}
    with closing(psycopg2.connect(**params, dbname=database)) as other:
        other.autocommit = True
        with other.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def copied(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The name of a database with this release's schema: a copy of the test's."""
    name = f"before_{os.getpid()}"
    with django_db_blocker.unblock():
        tested = connection.settings_dict["NAME"]
        # Nobody may be connected to what is copied: threads of other tests may have left sessions.
        connection.cursor().execute(_OTHERS)
        connection.close()
    as_owner(_OTHERS, tested)
    as_owner(f"CREATE DATABASE test_{name} TEMPLATE {tested}", "postgres")
    try:
        yield name
    finally:
        as_owner(f"DROP DATABASE test_{name} WITH (FORCE)", "postgres")


@pytest.mark.one_server("no copy is made of a cluster's database")
def test_release_before_runs_on_the_schema_of_this_one(copied: str, tmp_path: Path) -> None:
    try:
        code = unpack(REVISION, tmp_path)
    except Failed as failure:
        # A copy without history has no release before.
        pytest.skip(str(failure))
    owner = {**settings.OWNER_DATABASE, "NAME": copied}
    with stage.own_valkey(tmp_path) as redis_url:
        environment = {
            **os.environ,
            "ALLIANCE_HOME": str(tmp_path / "state"),
            "DATABASE_URL": stage.url_of({**connection.settings_dict, "NAME": copied}),
            "OWNER_DATABASE_URL": stage.url_of(owner),
            "REDIS_URL": redis_url,
        }
        for name in [name for name in environment if name.startswith("PYTEST_")]:
            del environment[name]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *TESTS, "-q", "-x", "--reuse-db", "-p", "no:cacheprovider"],
            cwd=code,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    unwritten = {name for (name,) in as_owner(_UNWRITTEN, f"test_{copied}") if name.startswith(OURS)}
    assert unwritten <= REFERENCE | LEFT_OUT, unwritten - REFERENCE - LEFT_OUT
