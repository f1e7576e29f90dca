"""Counting what the coordinator sends to workers."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
from django.db import connection

from alliance.database.postgresql.messages import Connection
from alliance.tenancy import raw_rows


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[str]]:
    """Return the commands that something sends to workers."""
    monkeypatch.setattr(Connection, "committing", lambda _self: nullcontext())

    def commands(work: Callable[[], object]) -> list[str]:
        # The first call opens connections to the workers.
        work()
        raw_rows("SET client_min_messages = notice")
        raw_rows("SET citus.log_remote_commands = on")
        connection.connection.notices.clear()
        work()
        raw_rows("SET citus.log_remote_commands = off")
        return [text.split("issuing ", 1)[1] for text in connection.connection.notices if "issuing" in text]

    return commands
