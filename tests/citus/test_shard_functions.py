"""Functions of shards are on every worker, and old versions leave all of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import connection

from alliance.database import cluster
from alliance.database.owner import as_owner
from alliance.database.stored_functions import STATEMENTS, StoredStatement
from alliance.tenancy import raw_rows
from parcels.scans.sql_lost import HOLD_PARCELS

pytestmark = pytest.mark.django_db(transaction=True)
PREFIX = "alliance_tried"


@pytest.fixture
def tried() -> Iterator[None]:
    yield
    with as_owner():
        [(functions,)] = raw_rows(
            "SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE starts_with(proname, %s)",
            [f"{PREFIX}_"],
        )
        raw_rows(f"DROP FUNCTION {functions}")


def version(number: int) -> StoredStatement:
    return replace(HOLD_PARCELS, prefix=PREFIX, body=f"-- {number}{HOLD_PARCELS.body}")


def counts_of_nodes(prefix: str) -> set[int]:
    """How many functions each node has, whose names begin so."""
    count = f"SELECT count(*) FROM pg_proc WHERE starts_with(proname, ''{prefix}_'')"
    return {int(result) for (result,) in raw_rows(f"SELECT result FROM run_command_on_all_nodes('{count}')")}


def test_each_node_has_a_function_for_each_shard_of_the_last_versions(tried: None) -> None:
    with as_owner():
        for number in (1, 2, 2):
            version(number).install()
        of_one = len(cluster.shard_keys()) + 1
        assert counts_of_nodes(PREFIX) == {2 * of_one}
        for number in (3, 4, 5):
            version(number).install()
        assert counts_of_nodes(PREFIX) == {4 * of_one}
        assert not version(1).is_installed()
        assert version(5).is_installed()


def test_all_statements_are_installed() -> None:
    assert [statement.name for statement in STATEMENTS if not statement.is_installed()] == []


def test_the_server_and_nobody_else_keeps_a_shard_from_moving() -> None:
    may = "SELECT has_function_privilege(''{}'', ''alliance_hold_shard(bigint)'', ''EXECUTE'')"
    for role, expected in (("public", "f"), (connection.settings_dict["USER"], "t")):
        told = raw_rows(f"SELECT result FROM run_command_on_all_nodes('{may.format(role)}')")
        assert {result for (result,) in told} == {expected}, role
