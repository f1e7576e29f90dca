"""Counting what the coordinator sends to workers, and which shards it asks."""

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import Any, Final

import pytest
from django.db import connection, transaction
from django.test import override_settings

from alliance import figures
from alliance.database.postgresql.messages import Connection
from alliance.tenancy import raw_rows
from tests.access import world as access_world
from tests.access.world import World

Asked = Callable[[Callable[[], object]], list[set[int]]]
# Of this process: the other one forgets what it is asked for on a busy machine.
_CACHES: Final = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
_SHARD: Final = re.compile(r"_(\d{6,})\b")
# The first argument of a stored statement at home: a key of its shard.
_AT_HOME: Final = re.compile(r"_[0-9a-f]{12}\('(-?\d+)'::bigint")
_NO_READS: Final = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET")
_PLACES: Final = (
    "SELECT shardid::text, shardminvalue::integer FROM pg_dist_shard WHERE shardminvalue IS NOT NULL"
)


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


class Notices(list[str]):
    """What the server tells; nothing is forgotten at fifty."""


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One world for all reads, in a transaction that is rolled back at the end."""
    with (
        django_db_blocker.unblock(),
        override_settings(**access_world.settings(tmp_path_factory.mktemp("media")), CACHES=_CACHES),
        pytest.MonkeyPatch.context() as patched,
        transaction.atomic(),
    ):
        patched.setattr(Connection, "committing", lambda _self: nullcontext())
        patched.setattr(figures, "SECONDS", float("inf"))
        world = access_world.build()
        connection.connection.notices = Notices()
        raw_rows("SET client_min_messages = notice")
        raw_rows("SET citus.log_remote_commands = on")
        yield world
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def asked(world: World) -> Asked:
    """Return the shards, by their least hash, that each statement to a worker asks of something."""
    places = dict(raw_rows(_PLACES))

    def shards_of(text: str) -> set[int]:
        shards = {*_SHARD.findall(text), *(_shard_of(key) for key in _AT_HOME.findall(text))}
        return {places[shard] for shard in shards if shard in places}

    def statements(work: Callable[[], object]) -> list[set[int]]:
        connection.connection.notices.clear()
        work()
        texts = [text.split("issuing ", 1)[1] for text in connection.connection.notices if "issuing" in text]
        sent = [text for text in texts if not text.startswith(_NO_READS)]
        return [shards_of(text) for text in sent]

    return statements


@cache
def _shard_of(key: str) -> str:
    """Return the shard in which a stored statement at home is called, by the key it is sent by."""
    [(shard,)] = raw_rows("SELECT get_shard_id_for_distribution_column('parcels_parcel', %s::bigint)", [key])
    return str(shard)
