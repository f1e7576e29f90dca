"""Interrupted exports: no row is missing or doubled, and a failing file is given up in the end."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from alliance.database.cluster import is_distributed
from alliance.tenancy import Actor, Scope, scope
from slas.choices import ExportState
from slas.exports.services import writing
from slas.exports.services.writing import tend_exports, write_export
from slas.models import Export
from tests.helpers.failing import fail_at_every_attempt
from tests.slas.helpers.commitments import NOON
from tests.slas.helpers.exports import (
    COMMITMENTS,
    CSV,
    PARQUET,
    ask,
    numbers,
    read_csv,
    read_parquet,
    reread,
    written,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


class Killed(BaseException):
    """A worker that dies at this point."""


def killed_at(monkeypatch: pytest.MonkeyPatch, name: str, call: int, *, after: bool = False) -> None:
    """Make a worker die in its nth call of a function of the writer, before or after the work."""
    genuine: Callable[..., Any] = getattr(writing, name)
    calls = 0

    def dying(*args: Any, **given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        answer = genuine(*args, **given)
        if calls == call:
            raise Killed
        return answer

    monkeypatch.setattr(writing, name, dying)


@pytest.mark.parametrize("format", [CSV, PARQUET])
@pytest.mark.parametrize(
    ("name", "call", "after"),
    [
        ("read_page", 1, False),
        ("read_page", 3, True),
        ("write_part", 1, True),
        ("write_part", 2, False),
        ("write_part", 4, True),
        ("join_parts", 1, False),
        ("join_parts", 1, True),
        ("remove_parts", 1, False),
    ],
)
def test_killed_worker_neither_loses_nor_doubles_rows(
    promised: list[int],
    merchant: Actor,
    monkeypatch: pytest.MonkeyPatch,
    format: str,
    name: str,
    call: int,
    after: bool,
) -> None:
    read = read_csv if format == CSV else read_parquet
    expected = read(written(merchant, COMMITMENTS, format))
    export = ask(merchant, COMMITMENTS, format)
    with monkeypatch.context() as dying:
        killed_at(dying, name, call, after=after)
        with pytest.raises(Killed):
            write_export(export_id=export.pk, rows_a_slice=6)
    assert write_export(export_id=export.pk, rows_a_slice=6)
    export = reread(export)
    assert (export.state, export.done) == (ExportState.DONE, 20)
    assert read(export) == expected


def test_a_second_worker_leaves_a_file_to_the_first(
    promised: list[int], merchant: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(merchant)
    actor_of = writing._actor_of

    def overtaken(*args: Any) -> Actor:
        monkeypatch.setattr(writing, "_actor_of", actor_of)
        assert write_export(export_id=export.pk, rows_a_slice=6, stretch=timedelta(0)) is False
        return actor_of(*args)

    # The first writes a slice when the second, which saw the file before, has yet to come to its own.
    monkeypatch.setattr(writing, "_actor_of", overtaken)
    assert write_export(export_id=export.pk, rows_a_slice=6)
    # One slice, not two: on a cluster it is cut where a shard's part of it ends.
    assert 0 < reread(export).done <= 6


def test_work_beyond_the_budget_is_handed_on(promised: list[int], merchant: Actor) -> None:
    export, rounds = ask(merchant), 1
    while not write_export(export_id=export.pk, rows_a_slice=6, stretch=timedelta(0)):
        rounds += 1
        running = reread(export)
        assert (running.state, running.rows) == (ExportState.RUNNING, 20)
    assert rounds == 4 or (rounds > 4 and is_distributed())
    assert len(set(numbers(reread(export)))) == 20


def test_finished_file_is_not_written_again(promised: list[int], merchant: Actor) -> None:
    export = written(merchant)
    assert write_export(export_id=export.pk)
    assert reread(export).expires_at == export.expires_at
    assert write_export(export_id=export.pk + 1)


def test_interrupted_file_is_queued_again(
    merchant: Actor, sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        export = ask(merchant)
    with django_capture_on_commit_callbacks(execute=True):
        assert tend_exports(now=NOON + timedelta(minutes=1)) == (0, 0)
        assert tend_exports(now=NOON + timedelta(minutes=3)) == (1, 0)
    assert sent == 2 * [("slas.tasks.write_export", export.pk)]


def test_file_that_fails_repeatedly_is_given_up_and_ops_resume_it(
    promised: list[int], merchant: Actor, system: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = numbers(written(merchant))
    export = ask(merchant)
    with monkeypatch.context() as broken:
        broken.setattr(writing, "read_page", fails_from_call(2))
        failed = fail_at_every_attempt(
            export,
            lambda: write_export(export_id=export.pk, rows_a_slice=6),
            lambda now: tend_exports(now=now)[0],
        )
    assert 0 < failed.done <= 6
    assert failed.problem == f"Something went wrong on our side. Rows already processed: {failed.done}."
    # Its parts are kept to go on with, as long as a file that is done.
    with scope(Scope.everything()):
        assert writing.retry_export(actor=system, file_id=export.pk)
    assert write_export(export_id=export.pk, rows_a_slice=6)
    assert numbers(reread(export)) == expected


def fails_from_call(number: int) -> Callable[..., Any]:
    genuine, calls = writing.read_page, []

    def broken(*args: Any, **given: Any) -> Any:
        calls.append(args)
        if len(calls) >= number:
            raise RuntimeError("a bug of ours")
        return genuine(*args, **given)

    return broken


def test_failed_file_is_kept_for_a_week_and_not_resumed_after(
    promised: list[int], merchant: Actor, system: Actor, media: Path
) -> None:
    export = ask(merchant)
    assert not write_export(export_id=export.pk, rows_a_slice=6, stretch=timedelta(0))
    with scope(Scope.everything()):
        Export.objects.update(state=ExportState.FAILED)
    assert tend_exports(now=export.expires_at - timedelta(seconds=1)) == (0, 0)
    assert list(media.glob("exports/*/*"))
    assert tend_exports(now=export.expires_at) == (0, 1)
    assert not list(media.glob("exports/*/*"))
    with scope(Scope.everything()):
        Export.objects.update(expires_at=timezone.now())
        assert not writing.retry_export(actor=system, file_id=export.pk)
