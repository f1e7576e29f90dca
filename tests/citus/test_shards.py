"""`manage.py shards` with what cannot be done."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from alliance.database.distribution import shards
from alliance.database.distribution.nodes import nodes
from alliance.database.distribution.nodes import rows as asked
from alliance.database.owner import as_owner

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_coordinator_is_no_worker_to_add_or_drain() -> None:
    with as_owner():
        coordinator = next(node for node in nodes() if node.is_coordinator)
    for arguments in (("add-node", coordinator.host, str(coordinator.port)), ("drain", str(coordinator))):
        with pytest.raises(CommandError, match="is the coordinator: it has no shards"):
            call_command("shards", *arguments)


def test_a_worker_that_is_there_may_be_added_again(capsys: pytest.CaptureFixture[str]) -> None:
    with as_owner():
        worker = next(node for node in nodes() if not node.is_coordinator)
    call_command("shards", "add-node", worker.host, str(worker.port))
    assert f"{worker} was there" in capsys.readouterr().out


def test_what_is_being_moved_is_not_moved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with as_owner():
        shard, *_ = shards.shards()
        other = next(node for node in nodes() if node.has_shards and str(node) != shard.node)
    on_its_way = shards.Move(shard.homes, shard.node, str(other), "setting up")
    monkeypatch.setattr(shards, "moves", lambda: [on_its_way])
    with pytest.raises(CommandError, match=f"are on their way to {other}"):
        call_command("shards", "move", str(shard.first_home), str(other))


@pytest.mark.parametrize("verb", ["drain", "rebalance"])
def test_a_job_in_the_background_is_waited_for(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_owner():
        worker = next(node for node in nodes() if node.has_shards)

    def rows(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        is_of_tasks = "pg_dist_background_task" in statement
        return [("SELECT 1", "running", None)] if is_of_tasks else asked(statement, parameters)

    monkeypatch.setattr(shards, "rows", rows)
    with pytest.raises(CommandError, match="citus_rebalance_stop"):
        call_command("shards", verb, *([str(worker)] if verb == "drain" else []))
