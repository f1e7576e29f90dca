"""Migrations as a cluster takes them: one change of the schema a message."""

from typing import Any

import pytest
from django.db import connection

from alliance.database import cluster
from alliance.database.owner import as_owner

SCRIPT = """
-- Two functions; the comment has a semicolon.
CREATE FUNCTION test_one() RETURNS text LANGUAGE sql AS $$ SELECT 'a;b'; $$;
CREATE FUNCTION test_two() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN 2; END; $$;
"""


def messages_of(script: str, params: Any = None) -> list[str]:
    sent: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with as_owner(), connection.execute_wrapper(note), connection.schema_editor() as editor:
        editor.execute(script, params)
        editor.execute("DROP FUNCTION test_one(); DROP FUNCTION test_two()")
    return sent


@pytest.mark.one_server("on a cluster it is sent in parts, which the next test asks")
@pytest.mark.django_db(transaction=True)
def test_on_one_server_a_script_is_one_message() -> None:
    assert SCRIPT in messages_of(SCRIPT)


@pytest.mark.django_db(transaction=True)
def test_on_a_cluster_each_statement_is_alone_and_waits_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    # PostgreSQL takes settings of an extension that it does not know.
    monkeypatch.setattr(cluster, "is_distributed", lambda **_using: True)
    sent = messages_of(SCRIPT)
    assert sent[0] == "SET LOCAL lock_timeout = '2s'"
    made = [message for message in sent if message.startswith("CREATE FUNCTION")]
    assert [message[:24] for message in made] == ["CREATE FUNCTION test_one", "CREATE FUNCTION test_two"]
    assert "'a;b';" in made[0]
    assert sent[-2:] == ["DROP FUNCTION test_one()", "DROP FUNCTION test_two()"]
