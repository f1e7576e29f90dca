"""Whether a database is distributed, and which numbers stand for its shards."""

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from alliance.database import cluster
from alliance.tenancy import raw_rows

pytestmark = pytest.mark.django_db
# Four ranges of hashes, not all of one length: a shard may be split.
RANGES = [(-(2**31), -1), (0, 99_999_999), (100_000_000, 2**30 - 1), (2**30, 2**31 - 1)]


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    cluster.forget()
    yield
    cluster.forget()


def pretend_to_have_shards(ranges: list[tuple[int, int]]) -> None:
    """Make the tables in which Citus keeps its shards, for this session alone."""
    raw_rows('CREATE TEMP TABLE pg_dist_partition (logicalrelid oid, partmethod "char")')
    raw_rows("CREATE TEMP TABLE pg_dist_shard (logicalrelid oid, shardminvalue text, shardmaxvalue text)")
    # A reference table, then a table by parcel and its month.
    raw_rows("INSERT INTO pg_dist_partition VALUES (5, 'n'), (7, 'h'), (9, 'h')")
    raw_rows("INSERT INTO pg_dist_shard VALUES (5, NULL, NULL)")
    for table in (7, 9):
        for low, high in reversed(ranges):
            raw_rows("INSERT INTO pg_dist_shard VALUES (%s, %s, %s)", [table, str(low), str(high)])


@pytest.mark.one_server("a cluster is distributed")
def test_one_server_is_not_distributed() -> None:
    assert not cluster.is_distributed()
    assert cluster.shard_keys() == (0,)


def test_server_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = cluster.is_distributed()
    monkeypatch.setattr(cluster, "_rows", None)
    assert cluster.is_distributed() == answer


def test_asking_is_no_statement_of_the_callers(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        cluster.is_distributed()


def test_each_shard_has_a_key_in_its_range(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_to_have_shards(RANGES)
    monkeypatch.setattr(cluster, "is_distributed", lambda **_: True)
    keys = cluster.shard_keys()
    hashes = [row[0] for row in raw_rows("SELECT hashint8(n) FROM unnest(%s::bigint[]) AS n", [list(keys)])]
    assert len(hashes) == len(RANGES)
    for value, (low, high) in zip(hashes, RANGES, strict=True):
        assert low <= value <= high


@pytest.mark.one_server("it pretends to become a cluster")
def test_distribution_is_seen_once_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not cluster.is_distributed()
    monkeypatch.setattr(cluster, "_HAS_EXTENSION", "SELECT true")
    pretend_to_have_shards(RANGES)
    assert not cluster.is_distributed()
    cluster.forget()
    assert cluster.is_distributed()


@pytest.mark.one_server("a cluster has several")
def test_one_server_has_one_part() -> None:
    assert [[*part] for part in cluster.by_shard([9, 4, 7])] == [[0, 1, 2]]


def test_parcels_are_divided_by_shard_in_the_order_of_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_to_have_shards([(-(2**31), -1), (0, 2**31 - 1)])
    monkeypatch.setattr(cluster, "is_distributed", lambda **_: True)
    ids = [*range(1, 300)]
    hashes = [row[0] for row in raw_rows("SELECT hashint8(n) FROM unnest(%s::bigint[]) AS n", [ids])]
    first = [place for place, value in enumerate(hashes) if value < 0]
    second = [place for place, value in enumerate(hashes) if value >= 0]
    assert [[*part] for part in cluster.by_shard(ids)] == [first, second]
    assert [[*part] for part in cluster.by_shard(ids[first[0] : first[0] + 1])] == [[0]]


def test_shards_that_divide_a_home_are_told() -> None:
    assert cluster.holds_whole_homes([-(2**31) + shard * 2**27 for shard in range(32)])
    assert not cluster.holds_whole_homes([-(2**31), 1000])
