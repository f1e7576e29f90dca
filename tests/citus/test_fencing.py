"""A worker that says nothing is fenced off: what needs it is refused at once."""

import socket
from collections.abc import Iterator

import pytest
from django.db import ProgrammingError, connection

from alliance.database import fencing
from alliance.database.cluster import missing_workers
from alliance.database.postgresql.fences import NOWHERE
from alliance.tenancy import raw_rows
from tests.citus.servers import on_coordinator

pytestmark = pytest.mark.django_db(transaction=True)
FENCED = "SELECT nodeid FROM pg_dist_poolinfo"


@pytest.fixture
def frozen() -> Iterator[tuple[int, socket.socket]]:
    """A worker that accepts connections and says nothing: its number, and its socket."""
    database = connection.settings_dict["NAME"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        [(node,)] = on_coordinator(database, f"SELECT citus_add_inactive_node('127.0.0.1', {port})")
        on_coordinator(database, f"UPDATE pg_dist_node SET isactive = true WHERE nodeid = {node}")
        yield node, server
    on_coordinator(database, f"DELETE FROM pg_dist_poolinfo WHERE nodeid = {node}")
    on_coordinator(database, f"DELETE FROM pg_dist_node WHERE nodeid = {node}")


def test_silent_worker_is_fenced_off_until_it_answers(
    frozen: tuple[int, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, server = frozen
    monkeypatch.setattr(fencing, "ANSWER_SECONDS", 1)
    watch = fencing.Watch()
    watch.look()
    assert raw_rows(FENCED) == []
    watch.look()
    assert raw_rows(FENCED) == [(node,)]
    # Refused at once: it is not waited for.
    assert missing_workers() == ["{}:{}".format(*server.getsockname())]
    # Asked behind its fence, it still says nothing.
    watch.look()
    assert raw_rows(FENCED) == [(node,)]
    server.close()
    watch.look()
    assert raw_rows(FENCED) == []


def test_server_can_fence_a_worker_off_and_nothing_else() -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        raw_rows(f"INSERT INTO pg_dist_poolinfo VALUES (2, '{NOWHERE}')")
