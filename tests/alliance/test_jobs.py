"""Tasks sent by name: after the commit, whatever the broker does, and only names that a worker knows."""

import ast
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import InterfaceError, OperationalError, transaction
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from alliance import jobs
from alliance.celery import app

ROOT = Path(__file__).parents[2]
PACKAGES = ("alliance", "couriers", "slas", "parcels")


def names_in(source: str) -> Iterator[str]:
    """The names of tasks that a module sends; fails for one that is not to be read there."""
    tree = ast.parse(source)
    constants: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            constants |= {target.id: node.value.value for target in targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function_name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        if function_name != "after_commit":
            continue
        match node.args:
            case [ast.Constant(value=str(name)), *_]:
                yield name
            case [ast.Name(id=constant), *_] if isinstance(constants.get(constant), str):
                yield constants[constant]
            case _:
                pytest.fail(f"Name the task by a literal or a constant of the module: {ast.unparse(node)}")


def names_sent() -> set[str]:
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {name for source in sources for name in names_in(source)}


def test_every_task_that_is_sent_is_registered() -> None:
    app.loader.import_default_modules()
    names = names_sent()
    assert names
    assert sorted(names - set(app.tasks)) == []


def test_beat_runs_every_task_that_nothing_else_sends() -> None:
    app.loader.import_default_modules()
    own_tasks = {name for name in app.tasks if not name.startswith("celery.")}
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled == own_tasks - names_sent()


def test_names_are_read_from_literals_and_constants() -> None:
    source = 'TASK: Final = "a.tasks.b"\njobs.after_commit(TASK, 1)\ndef f(): after_commit("a.tasks.c", 2)'
    assert set(names_in(source)) == {"a.tasks.b", "a.tasks.c"}


@pytest.mark.parametrize("call", ["after_commit(name, 1)", 'jobs.after_commit(f"{app}.tasks.b", 1)'])
def test_name_that_cannot_be_read_is_refused(call: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="Name the task"):
        set(names_in(f"name = other\n{call}"))


@pytest.mark.django_db(transaction=True)
def test_task_is_sent_after_the_commit_and_not_after_a_rollback(sent: list[Any]) -> None:
    with transaction.atomic():
        jobs.after_commit("a.tasks.b", 1)
        assert sent == []
    assert sent == [("a.tasks.b", 1)]
    with transaction.atomic():
        jobs.after_commit("a.tasks.b", 2)
        transaction.set_rollback(True)
    assert sent == [("a.tasks.b", 1)]


@pytest.mark.django_db(transaction=True)
def test_broker_that_is_away_undoes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_task: Any, **_options: Any) -> None:
        raise BrokerError

    monkeypatch.setattr(app, "send_task", away)
    committed: list[str] = []
    with transaction.atomic():
        jobs.after_commit("a.tasks.b", 1)
        transaction.on_commit(lambda: committed.append("what came after"))
    assert committed == ["what came after"]


class Broker:
    """A broker that fails so often, after a wait."""

    def __init__(self, failures: int, clock: list[float], seconds: float = 0.0) -> None:
        self.calls, self.failures, self.clock, self.seconds = 0, failures, clock, seconds

    def send_task(self, *_task: Any) -> None:
        self.calls += 1
        self.clock[0] += self.seconds
        if self.calls <= self.failures:
            raise BrokerError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [time.monotonic()]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    monkeypatch.setitem(jobs._state, "away_until", 0.0)
    return now


def test_connection_of_before_a_restart_is_tried_once_more(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    broker = Broker(1, clock)
    monkeypatch.setattr(app, "send_task", broker.send_task)
    jobs.send("a.tasks.b", 1)
    jobs.send("a.tasks.b", 2)
    assert broker.calls == 3


def test_broker_that_hangs_is_not_waited_for_twice(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    broker = Broker(99, clock, seconds=2.0)
    monkeypatch.setattr(app, "send_task", broker.send_task)
    for _task in range(5):
        jobs.send("a.tasks.b", 1)
    assert broker.calls == 1
    clock[0] += jobs.RETRY_AFTER_SECONDS + 0.1
    jobs.send("a.tasks.b", 1)
    assert broker.calls == 2


def test_broker_that_accepts_and_never_answers_does_not_hold_up_a_request(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {"socket_timeout": 0.05}
        url = f"redis://127.0.0.1:{frozen.getsockname()[1]}/0"
        client = Celery(broker=url, set_as_current=False)
        client.conf.broker_transport_options = options
        client.conf.task_publish_retry = settings.CELERY_TASK_PUBLISH_RETRY
        with pytest.raises((BrokerError, RedisError)):
            client.send_task("a.tasks.b")


def test_task_is_sent_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    sent_tasks: list[Any] = []
    monkeypatch.setattr(app, "send_task", lambda *task: sent_tasks.append(task))
    jobs.send("a.tasks.b", 1)
    assert sent_tasks == [("a.tasks.b", (1,))]


@pytest.mark.parametrize(
    ("task", "service"),
    [
        ("parcels.tasks.book_file", "parcels.booking_files.services.files.book_file"),
        ("parcels.tasks.process_file_of_scans", "parcels.scan_files.services.process_scan_file"),
        ("slas.tasks.write_export", "slas.exports.services.writing.write_export"),
        ("slas.tasks.process_file_of_offers", "slas.offers.services.offer_files.process_offer_file"),
    ],
)
def test_task_of_a_file_goes_on_after_an_outage_of_the_database(
    monkeypatch: pytest.MonkeyPatch, task: str, service: str
) -> None:
    outcomes: list[Exception | None] = [OperationalError("gone"), InterfaceError("closed"), None]

    def work(**_named: object) -> None:
        if (error := outcomes.pop(0)) is not None:
            raise error

    monkeypatch.setattr(service, work)
    assert app.tasks[task].apply(args=[1]).successful()
    assert outcomes == []
