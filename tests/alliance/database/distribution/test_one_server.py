"""What `distribute` says on a server without the extension, and what it knows of tables anywhere."""

import time
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from hypothesis import given
from hypothesis import strategies as st

from alliance.database.distribution import access, coordinator, plan, readiness, tables
from alliance.database.distribution.shards import Refused, Shard, execute_as_superuser, home_of_hash
from alliance.database.owner import as_owner
from alliance.database.partitions import months_of
from alliance.database.placements import BY_PARCEL, LOCAL
from alliance.homes import hash_of, home_of
from alliance.management.commands import distribute
from alliance.management.commands.shards import held
from tests import factories
from tests.helpers.owner import execute_as_owner


@pytest.mark.one_server("a cluster has the extension; tests/citus/test_distributing.py asks it")
@pytest.mark.django_db(transaction=True)
def test_a_server_without_the_extension_is_told_so_and_left_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CommandError, match="Nothing was changed: do this first"):
        call_command("distribute")
    assert "CREATE EXTENSION citus" in capsys.readouterr().err
    # The server's role still has its rights.
    assert factories.courier_organisation(name="Swift Express").pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("program", ["gunicorn: worker", ""])
def test_a_session_of_the_server_is_seen_by_the_owner(program: str) -> None:
    # PostgreSQL shows a role of another's sessions that they are there, and no more.
    named = f"{access.server_role()} is connected by {program or 'a program without a name'}"
    with access.server_session() as session, session.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", [program])
        with as_owner():
            assert any(problem.startswith(named) for problem in readiness.of_sessions())
    with as_owner():
        assert not any(program and problem.startswith(named) for problem in readiness.of_sessions())


@pytest.mark.django_db(transaction=True)
def test_a_server_that_cannot_log_in_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "USER", "nobody_of_ours")
    with as_owner():
        said = [*readiness.of_sessions()]
    assert any(problem.startswith("nobody_of_ours cannot log in by DATABASE_URL") for problem in said)


@pytest.mark.parametrize(("code", "hint"), [("55P03", "idle in transaction"), ("57014", "Call it again")])
def test_what_a_step_failed_of_says_what_to_do(code: str, hint: str) -> None:
    error = OperationalError("canceling statement")
    error.__cause__ = type("Failed", (Exception,), {"pgcode": code})()
    assert hint in distribute.said_of(error)


@pytest.mark.parametrize("shards", [0, 3, 48, 128])
def test_shards_are_a_power_of_two_up_to_64(shards: int) -> None:
    with pytest.raises(CommandError, match="power of two up to 64"):
        call_command("distribute", shards=shards)


@pytest.mark.django_db
def test_facts_of_a_table_count_its_months_and_not_the_table_twice() -> None:
    execute_as_owner("ANALYZE parcels_parcel")
    found = tables.facts("parcels_parcel")
    assert found.months == len(months_of("parcels_parcel"))
    assert found.rows == 0
    # Each month has the table's indexes.
    assert found.relations > 2 * found.months


@pytest.mark.one_server("it is asked of tables that are not distributed yet: then rows are in shards")
@pytest.mark.django_db
def test_facts_of_a_table_without_months() -> None:
    execute_as_owner("ANALYZE alliance_city")
    found = tables.facts("alliance_city")
    assert (found.months, found.rows) == (0, tables.count("alliance_city"))


@pytest.mark.django_db
def test_keys_to_other_tables_are_found_with_their_definition() -> None:
    [key] = tables.keys_of("slas_tierversion")
    assert key.target == "slas_servicetier"
    assert key.definition.startswith("FOREIGN KEY (tier_id) REFERENCES slas_servicetier(id)")
    assert tables.keys_of("parcels_parcel") == []


@pytest.mark.one_server("a cluster has none")
@pytest.mark.django_db
def test_keys_between_tables_of_the_coordinator_and_others_are_found() -> None:
    found = [(key.table, key.definition.split(" DEFERRABLE")[0]) for key in coordinator.crossing_keys()]
    assert ("slas_offer", "FOREIGN KEY (tier_id) REFERENCES slas_servicetier(id)") in found
    assert {table for table, _definition in found} <= {*LOCAL}


def test_the_table_of_parcels_comes_first_because_it_defines_the_shards() -> None:
    ordered = plan.in_order(BY_PARCEL)
    assert ordered[0] == "parcels_parcel"
    assert set(ordered) == set(BY_PARCEL)


@pytest.mark.django_db(transaction=True)
def test_sequences_that_began_again_are_found_and_set_on() -> None:
    organisation = factories.courier_organisation(name="Swift Express")
    with as_owner():
        assert "alliance_organisation_id_seq" not in dict(tables.behind())
        with connection.cursor() as cursor:
            cursor.execute("ALTER SEQUENCE alliance_organisation_id_seq RESTART")
        [(sequence, highest)] = [
            found for found in tables.behind() if found[0].endswith("alliance_organisation_id_seq")
        ]
        assert highest == organisation.pk
        tables.set_on(sequence, highest)
    assert factories.courier_organisation(name="Rival Logistics").pk == organisation.pk + 1


@pytest.mark.one_server("a cluster has shards")
@pytest.mark.django_db(transaction=True)
def test_one_server_has_no_shards() -> None:
    with pytest.raises(CommandError, match="on one server"):
        call_command("shards")


def test_a_shard_has_the_homes_of_its_hashes() -> None:
    shards_of_32 = [
        (-(1 << 31) + (number << 27), -(1 << 31) + (number + 1 << 27) - 1) for number in range(32)
    ]
    homes = [(home_of_hash(low), home_of_hash(high)) for low, high in shards_of_32]
    assert homes == [(number * 2, number * 2 + 1) for number in range(32)]


@given(st.integers(min_value=1, max_value=(1 << 63) - 1))
def test_the_home_of_a_parcel_is_that_of_its_hash(parcel_id: int) -> None:
    assert home_of_hash(hash_of(parcel_id)) == home_of(parcel_id)


@pytest.mark.django_db
def test_nodes_are_changed_by_a_superuser_only(settings: Any) -> None:
    settings.SUPERUSER_DATABASE = None
    with pytest.raises(Refused, match=r"SUPERUSER_DATABASE_URL.*SELECT citus_add_node\('worker-3', 5432\)"):
        execute_as_superuser("SELECT citus_add_node(%s, %s)", ["worker-3", 5432])


def test_what_a_node_holds_that_does_not_answer_is_unknown() -> None:
    shard = Shard(id=1, first_home=0, last_home=1, node="db2:5432", bytes=3 << 20, parcels=1200)
    assert held([shard], set(), 6, 5) == " 1,200 3 MB"
    assert held([shard], {"db2:5432"}, 6, 5) == "     ?    ?"


def test_policies_of_a_shard_on_its_way_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # A move makes a table on the other node first, and gives it its policies a moment later.
    on_its_way, there = {"breach_102": "false "}, {"breach_102": "true abc"}
    monkeypatch.setattr(access, "value", lambda _statement: '{"breach": "true abc"}')
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    looks = iter([on_its_way, there])
    monkeypatch.setattr(access, "json_of_nodes", lambda _statement: [("db2:5432", next(looks))])
    assert access.require_alike_policies() == 1
    monkeypatch.setattr(access, "json_of_nodes", lambda _statement: [("db2:5432", on_its_way)])
    with pytest.raises(RuntimeError, match="breach_102 on db2:5432"):
        access.require_alike_policies()
