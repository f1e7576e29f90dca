"""Stored functions: named by a hash of their text, created by `migrate`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import ProgrammingError
from django.test import Client

from alliance.database import stored_functions
from alliance.database.stored_functions import StoredStatement
from alliance.management.commands import up
from alliance.tenancy import raw_rows
from tests.helpers.owner import execute_as_owner

pytestmark = pytest.mark.django_db

by_the_servers_role = pytest.mark.one_server(
    "the server's role makes functions in a transaction; tests/citus/test_shard_functions.py: the owner"
)
# Its columns have the names of the table's, as those of real ones do.
TWICE = StoredStatement(
    "alliance_twice",
    parameters={"numbers": "int[]", "label": "text"},
    returns={"n": "bigint", "label": "text"},
    body="""
BEGIN
    RETURN QUERY SELECT 2 * sum(n), %(label)s || max(label)
    FROM (SELECT x, 'th' FROM unnest(%(numbers)s) AS x) AS t (n, label);
END""",
)


def install(statement: StoredStatement) -> None:
    """Install it in the test's own transaction, where the server's role is let make functions."""
    role = connection.settings_dict["USER"]
    execute_as_owner(f"GRANT CREATE ON SCHEMA public TO {connection.ops.quote_name(role)}")
    statement.install()


def statement_version(number: int) -> StoredStatement:
    return replace(TWICE, body=TWICE.body.replace("2 *", f"{number} *"))


def functions() -> set[str]:
    return {name for (name,) in raw_rows("SELECT proname FROM pg_proc WHERE proname LIKE 'alliance_twice%'")}


@pytest.fixture
def missing_statement(db: None) -> Iterator[StoredStatement]:
    stored_functions.STATEMENTS.append(TWICE)
    yield TWICE
    stored_functions.STATEMENTS.remove(TWICE)
    execute_as_owner(f"DROP FUNCTION IF EXISTS {TWICE.name}")


@by_the_servers_role
def test_statement_is_called_like_any_other() -> None:
    install(TWICE)
    assert raw_rows(TWICE.call, {"numbers": "{1,2,3}", "label": "six", "unused": 1}) == [(12, "sixth")]


@by_the_servers_role
def test_statement_of_other_text_is_another_function() -> None:
    for statement in (TWICE, statement_version(3)):
        install(statement)
    params = {"numbers": [1], "label": ""}
    assert (raw_rows(TWICE.call, params)[0][0], raw_rows(statement_version(3).call, params)[0][0]) == (2, 3)


@by_the_servers_role
def test_versions_in_use_are_kept_while_others_are_rolled_out_and_back() -> None:
    for number in (2, 3, 4, 2, 5):
        install(statement_version(number))
        install(statement_version(number))
    assert functions() == {statement_version(number).name for number in (2, 3, 4, 5)}


@by_the_servers_role
def test_old_versions_are_dropped() -> None:
    for number in range(30):
        install(statement_version(number))
    assert functions() == {statement_version(number).name for number in range(9, 30)}


@by_the_servers_role
def test_installing_again_leaves_plans_alone() -> None:
    def function_rows() -> list[tuple[int]]:
        return raw_rows("SELECT cmin::text || xmin::text FROM pg_proc WHERE proname = %s", [TWICE.name])

    install(TWICE)
    first = function_rows()
    install(TWICE)
    assert function_rows() == first


@by_the_servers_role
def test_function_is_planned_for_any_number_of_rows() -> None:
    install(TWICE)
    [(settings,)] = raw_rows("SELECT proconfig FROM pg_proc WHERE proname = %s", [TWICE.name])
    assert set(settings) == {
        "plan_cache_mode=force_generic_plan",
        "enable_nestloop=off",
        "enable_mergejoin=on",
        "jit=off",
    }


@by_the_servers_role
@pytest.mark.parametrize(("is_stable", "kind"), [(True, "s"), (False, "v")])
def test_stable_statement_only_reads(is_stable: bool, kind: str) -> None:
    statement = replace(TWICE, is_stable=is_stable)
    install(statement)
    assert raw_rows("SELECT provolatile FROM pg_proc WHERE proname = %s", [statement.name]) == [(kind,)]


def test_policies_bind_what_a_function_reads() -> None:
    names = [statement.name for statement in stored_functions.STATEMENTS]
    bound = raw_rows("SELECT proname FROM pg_proc WHERE proname = ANY(%s) AND NOT prosecdef", [names])
    assert {name for (name,) in bound} == set(names)


@pytest.mark.django_db(transaction=True)
def test_migrate_makes_what_is_missing(missing_statement: StoredStatement) -> None:
    assert not missing_statement.is_installed()
    call_command("migrate", "alliance", verbosity=0)
    assert missing_statement.is_installed()
    assert all(statement.is_installed() for statement in stored_functions.STATEMENTS)


@pytest.mark.django_db(transaction=True)
def test_next_start_makes_what_is_missing_without_a_migration(missing_statement: StoredStatement) -> None:
    assert stored_functions.missing() == [missing_statement]
    up.Command()._prepare_database(MigrationExecutor(connection))
    assert stored_functions.missing() == []


@by_the_servers_role
def test_site_is_not_ready_without_its_statements(client: Client, missing_statement: StoredStatement) -> None:
    def check() -> dict[str, Any]:
        result: dict[str, Any] = client.get("/readyz").json()["checks"]["migrations"]
        return result

    assert check() == {"ok": False, "waiting": 0, "statements_missing": [missing_statement.name]}
    install(missing_statement)
    assert check()["ok"]


def test_missing_function_is_an_error_of_its_own() -> None:
    with pytest.raises(ProgrammingError, match="does not exist"), transaction.atomic():
        raw_rows(statement_version(7).call, {"numbers": [1], "label": ""})
    assert not connection.needs_rollback
