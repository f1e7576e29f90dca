"""Files processed in slices: claims, failures and waits, outages, killed and concurrent workers."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Thread

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone, translation

from alliance.errors import Conflict, NotPermitted
from alliance.file_jobs import MOST_ATTEMPTS, FileJobs, turn
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import ScanFile

SYSTEM = Actor.system("test")
ROWS = 3
LATER = timedelta(days=1)
Slices = Callable[[ScanFile], Iterator[None]]


@pytest.fixture
def sent_ids() -> list[int]:
    """The ids of files sent to workers."""
    return []


@pytest.fixture
def jobs(sent_ids: list[int]) -> FileJobs[ScanFile]:
    return FileJobs(ScanFile, sent_ids.append)


@pytest.fixture
def file(courier_organisation: Organisation) -> ScanFile:
    with scope(Scope.everything()):
        return ScanFile.objects.create(
            courier_id=courier_organisation.pk, name="x.csv", language="zh-hans", rows=ROWS
        )


def reread(file: ScanFile) -> ScanFile:
    with scope(Scope.everything()):
        return ScanFile.objects.get(pk=file.pk)


def slices(file: ScanFile, before: Callable[[ScanFile], None] = lambda row: None) -> Iterator[None]:
    """One row per slice; `before` is called in the transaction of each."""
    place = file.done
    while True:
        with turn(SYSTEM, file, place) as row:
            before(row)
            row.done += 1
            if row.done == ROWS:
                row.finish("done")
        if row.is_finished:
            return
        place = row.done
        yield


def failing(error: BaseException, *, at: int = 0) -> Slices:
    """Slices of which one fails, after the others before it."""

    def before(row: ScanFile) -> None:
        if row.done == at:
            raise error

    return lambda file: slices(file, before)


def test_file_that_is_gone_is_asked_for_again_in_its_own_language(
    jobs: FileJobs[ScanFile], file: ScanFile
) -> None:
    # The disk may be away for a while only, so it is tried again like after any failure.
    assert not jobs.run(file.pk, failing(FileNotFoundError("x.csv"), at=2))
    waiting = reread(file)
    assert (waiting.state, waiting.attempts, waiting.done) == ("running", 1, 2)
    assert waiting.problem == "所需文件已不存在，请重新上传或重新申请。已处理行数：2。"


def test_file_is_worked_on_to_its_end_in_its_own_language(
    jobs: FileJobs[ScanFile], file: ScanFile, sent_ids: list[int]
) -> None:
    languages: list[str | None] = []

    assert jobs.run(
        file.pk, lambda file: slices(file, lambda _row: languages.append(translation.get_language()))
    )

    finished = reread(file)
    assert (finished.state, finished.done, finished.attempts, sent_ids) == ("done", ROWS, 0, [])
    assert finished.finished_at is not None
    assert languages == ["zh-hans"] * ROWS
    # Sent twice: the second worker has nothing to do.
    assert jobs.run(file.pk, slices)
    assert jobs.run(file.pk + 1, slices)


def test_file_queues_up_again_when_its_time_is_over(
    jobs: FileJobs[ScanFile], file: ScanFile, sent_ids: list[int]
) -> None:
    while not jobs.run(file.pk, slices, timedelta(0)):
        assert (reread(file).state, reread(file).attempts) == ("running", 0)
    assert sent_ids == [file.pk] * (ROWS - 1)
    assert reread(file).state == "done"


def test_slice_that_succeeds_resets_the_count(jobs: FileJobs[ScanFile], file: ScanFile) -> None:
    for _attempt in range(MOST_ATTEMPTS - 1):
        assert not jobs.run(file.pk, failing(RuntimeError()))
    assert reread(file).attempts == MOST_ATTEMPTS - 1
    # Its first slice succeeds, its second fails: that is the first attempt at it.
    assert not jobs.run(file.pk, failing(RuntimeError(), at=1))
    reread_file = reread(file)
    assert (reread_file.state, reread_file.done, reread_file.attempts) == ("running", 1, 1)
    assert jobs.run(file.pk, slices)
    assert (reread(file).state, reread(file).problem) == ("done", "")


@pytest.mark.parametrize("outage", [OperationalError, InterfaceError])
def test_outage_is_raised_and_not_counted(
    jobs: FileJobs[ScanFile], file: ScanFile, outage: type[Exception]
) -> None:
    for _attempt in range(MOST_ATTEMPTS + 1):
        with pytest.raises(outage):
            jobs.run(file.pk, failing(outage("the server is away")))
    waiting = reread(file)
    assert (waiting.state, waiting.attempts) == ("queued", 0)
    assert waiting.problem == "部分存储暂时没有响应，正在等待其恢复。"
    assert waiting.due_at > timezone.now()
    assert jobs.run(file.pk, slices)
    assert reread(file).problem == ""


def test_slice_that_the_database_cannot_do_in_time_is_counted(
    jobs: FileJobs[ScanFile], file: ScanFile
) -> None:
    def sleep_too_long(_row: ScanFile) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 20")
            cursor.execute("SELECT pg_sleep(5)")

    assert not jobs.run(file.pk, lambda file: slices(file, sleep_too_long))
    assert reread(file).attempts == 1


def test_refusal_that_asks_to_come_again_is_not_counted(
    jobs: FileJobs[ScanFile], file: ScanFile, sent_ids: list[int]
) -> None:
    assert not jobs.run(file.pk, failing(Conflict(code="busy", retry_after=60)))
    waiting = reread(file)
    assert (waiting.attempts, sent_ids) == (0, [])
    assert timedelta(0) < waiting.due_at - timezone.now() <= timedelta(seconds=60)
    assert jobs.hand_out(now=waiting.due_at) == 1


def test_refusal_fails_the_file_at_once_in_its_words(jobs: FileJobs[ScanFile], file: ScanFile) -> None:
    assert jobs.run(file.pk, failing(NotPermitted("You are 100% suspended."), at=1))
    failed_file = reread(file)
    assert (failed_file.state, failed_file.problem, failed_file.done) == (
        "failed",
        "You are 100% suspended.",
        1,
    )
    assert failed_file.finished_at is not None


def test_worker_killed_at_each_attempt_fails_the_file(
    jobs: FileJobs[ScanFile], file: ScanFile, sent_ids: list[int]
) -> None:
    for _attempt in range(MOST_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            jobs.run(file.pk, failing(KeyboardInterrupt()))
    # The last of them may still be at work: another leaves the file to it, until it is due again.
    assert jobs.run(file.pk, slices)
    assert jobs.hand_out(now=timezone.now()) == 0
    assert (reread(file).state, reread(file).done) == ("queued", 0)
    assert jobs.hand_out(now=timezone.now() + LATER) == 0
    failed_file = reread(file)
    assert (failed_file.state, sent_ids) == ("failed", [])
    assert str(MOST_ATTEMPTS) in failed_file.problem


def test_worker_that_is_overtaken_leaves_the_file(jobs: FileJobs[ScanFile], file: ScanFile) -> None:
    def overtaken_slices(current: ScanFile) -> Iterator[None]:
        assert not jobs.run(file.pk, slices, timedelta(0))
        return slices(current)

    assert jobs.run(file.pk, overtaken_slices)
    reread_file = reread(file)
    assert (reread_file.state, reread_file.done, reread_file.problem) == ("running", 1, "")


def test_failure_after_another_worker_has_finished_changes_nothing(
    jobs: FileJobs[ScanFile], file: ScanFile
) -> None:
    def late(_seen: ScanFile) -> Iterator[None]:
        assert jobs.run(file.pk, slices)
        raise FileNotFoundError
        yield

    assert jobs.run(file.pk, late)
    assert (reread(file).state, reread(file).problem) == ("done", "")


def test_due_file_is_handed_out_once(jobs: FileJobs[ScanFile], file: ScanFile, sent_ids: list[int]) -> None:
    assert jobs.hand_out(now=file.due_at - timedelta(seconds=1)) == 0
    assert jobs.hand_out(now=file.due_at) == 1
    # It is on its way to a worker; when that is lost, it is due again.
    assert jobs.hand_out(now=file.due_at) == 0
    assert jobs.hand_out(now=file.due_at + timedelta(minutes=2)) == 1
    assert sent_ids == [file.pk, file.pk]


@pytest.mark.django_db(transaction=True)
def test_file_in_the_middle_of_a_slice_is_not_handed_out(jobs: FileJobs[ScanFile], file: ScanFile) -> None:
    counts: list[int] = []

    def sweep() -> None:
        counts.append(jobs.hand_out(now=timezone.now() + LATER))
        connection.close()

    with transaction.atomic(), turn(SYSTEM, file, 0):
        sweeper = Thread(target=sweep)
        sweeper.start()
        sweeper.join()
    assert counts == [0]


def test_failed_file_is_resumed_by_ops_only(
    jobs: FileJobs[ScanFile], file: ScanFile, courier: Actor, sent_ids: list[int]
) -> None:
    with scope(Scope.everything()):
        assert not jobs.resume(actor=SYSTEM, file_id=file.pk)
    assert jobs.run(file.pk, failing(NotPermitted(), at=1))
    with scope(Scope.everything()):
        with pytest.raises(NotPermitted):
            jobs.resume(actor=courier, file_id=file.pk)
        assert not jobs.resume(actor=SYSTEM, file_id=file.pk, done=0)
        assert jobs.resume(actor=SYSTEM, file_id=file.pk)
    resumed_file = reread(file)
    assert (resumed_file.state, resumed_file.done, resumed_file.problem, resumed_file.finished_at) == (
        "queued",
        1,
        "",
        None,
    )
    assert sent_ids == [file.pk]
    assert jobs.run(file.pk, slices)
    assert reread(file).state == "done"
