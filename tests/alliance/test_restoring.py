"""After a restore to an earlier moment: ids are not handed out again, nobody is still logged in."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from redis.exceptions import RedisError

from alliance import restoring
from alliance.errors import NotPermitted
from alliance.health import note_heartbeat
from alliance.models import AuditEntry
from alliance.restoring import LEAST_SKIPPED, finish_restore
from alliance.tenancy import Actor, Scope, raw_rows, scope
from tests import factories
from tests.helpers.owner import execute_as_owner

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def sequences(transactional_db: None) -> Iterator[None]:
    """Leave sequences as they were to the tests that come after."""
    before = raw_rows("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'")
    yield
    for name, value in before:
        execute_as_owner(f"SELECT setval('{name}', {value or 1}, {value is not None})")


def test_ids_go_on_above_all_that_may_have_been_handed_out(
    system: Actor,
) -> None:
    before = factories.merchant_organisation("Before")
    finish_restore(actor=system)
    later = factories.merchant_organisation("Later")
    assert later.pk > before.pk + LEAST_SKIPPED


def test_no_sequence_is_left_out_or_used_up(system: Actor) -> None:
    # An extension's are its own.
    ours = "FROM pg_sequences WHERE schemaname = current_schema()"
    before = dict(raw_rows(f"SELECT sequencename, coalesce(last_value, 0) {ours}"))
    done = finish_restore(actor=system)
    after = raw_rows(f"SELECT sequencename, last_value, max_value {ours}")
    assert done.sequences == len(after)
    assert [name for name, value, most in after if not before[name] < value <= most // 2 + 1] == []


def test_nobody_is_still_logged_in(merchant_client: Client, system: Actor) -> None:
    assert merchant_client.get("/parcels/").status_code == 200
    finish_restore(actor=system)
    assert not Session.objects.exists()
    assert merchant_client.get("/parcels/").status_code == 302


def test_command_says_how_far_the_data_reach(capsys: Any) -> None:
    note_heartbeat("beat")
    cache.set("queue", 1)
    call_command("after_restore")
    said = capsys.readouterr().out
    assert "The last sign of life in the data is of 20" in said
    assert "The cache and its queue of tasks were emptied." in said
    assert cache.get("queue") is None
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="database.restored")
    assert entry.detail["sequences"] > 10
    assert entry.actor_label.startswith("command line")


def test_cache_that_is_away_is_told_of(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RedisError

    monkeypatch.setattr(restoring.cache, "clear", fail)
    call_command("after_restore")
    assert "Valkey does not answer: restart it before anything else" in capsys.readouterr().out


def test_only_operators_finish_a_restore(merchant: Actor) -> None:
    with pytest.raises(NotPermitted):
        finish_restore(actor=merchant)
