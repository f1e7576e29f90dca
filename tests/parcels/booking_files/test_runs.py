"""Processing of booking files: interruption, cancelling, several workers, and the downloads."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from alliance.choices import OrganisationStatus
from alliance.database.cluster import is_distributed
from alliance.errors import Conflict, NotFound, Unavailable
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels import tasks
from parcels.booking_files import columns as rules
from parcels.booking_files.services import files as booking_files
from parcels.booking_files.services.files import book_file, cancel_booking_file
from parcels.booking_files.services.results import read_problems
from parcels.models import BookingFile, Parcel
from tests.helpers.failing import fail_at_every_attempt
from tests.parcels.helpers.booking_files import (
    GOOD,
    HEADER,
    counts,
    finished,
    reread,
    results,
    row,
    started,
    text_of,
    to_correct,
)
from tests.parcels.helpers.bookings import parcels_of

NAMES = ",".join(HEADER)


pytestmark = pytest.mark.usefixtures("filing")


# --- interrupted work ------------------------------------------------------------------------


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(booking_files, "SLICE", 10)


def many(count: int) -> str:
    # Every seventh row is rejected; line breaks within cells, blank lines, references or none.
    return text_of(
        *(
            row(
                reference=f"R{n}" if n % 3 else "",
                weight_g="x" if n % 7 == 0 else "800",
                recipient_address="Road\n1" if n % 5 == 0 else "Road 1",
            )
            for n in range(count)
        )
    )


def lines_of(file: BookingFile) -> list[str]:
    return [result["line"] for result in results(file)]


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("step", ["append_results", "book_rows", "_finish", "wait_for"])
@pytest.mark.parametrize("fatal", [KeyboardInterrupt, RuntimeError])
def test_interrupted_work_resumes_without_duplicates(
    merchant: Actor, monkeypatch: pytest.MonkeyPatch, step: str, fatal: type[BaseException]
) -> None:
    whole = lines_of(finished(merchant, many(44)))
    file = started(merchant, many(44).replace("R", "S"))
    genuine, calls = getattr(booking_files, step), []

    def cut_off(*arguments: Any, **options: Any) -> Any:
        answer = genuine(*arguments, **options)
        calls.append(step)
        # The second slice, or the last step.
        if len(calls) == (1 if step == "_finish" else 2):
            raise fatal
        return answer

    monkeypatch.setattr(booking_files, step, cut_off)
    if fatal is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            book_file(file_id=file.pk)
    else:
        assert not book_file(file_id=file.pk)
    stopped = reread(file)
    with scope(Scope.of(merchant)):
        assert Parcel.objects.filter(reference__startswith="S").count() <= stopped.booked
    # On a cluster the end of a file comes after its last slice.
    assert len(results(file)) == stopped.done in (10, 40, 44)
    assert book_file(file_id=file.pk)
    assert lines_of(file) == whole
    finished_file = reread(file)
    assert counts(finished_file) == ("done", 44, 37, 0, 7)
    assert len(parcels_of(merchant)) == 2 * 37


@pytest.mark.usefixtures("small_slices")
def test_file_is_not_done_before_its_last_slice_is_on_every_worker(
    merchant: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a cluster: a worker was killed before it committed the part that the coordinator had committed.
    monkeypatch.setattr(booking_files, "is_distributed", lambda: True)
    file = started(merchant, many(44))
    genuine, calls = booking_files.book_rows, []

    def killed_meanwhile(*arguments: Any, **options: Any) -> Any:
        calls.append(len(arguments[2]))
        if not calls[-1]:
            raise OperationalError("not confirmed: the last slice's COMMIT")
        return genuine(*arguments, **options)

    def refuse(_homes: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(booking_files, "book_rows", killed_meanwhile)
        with pytest.raises(OperationalError):
            book_file(file_id=file.pk)
        assert calls == [10, 10, 10, 10, 4, 0]
        patch.setattr(booking_files, "require_settled", refuse)
        assert not book_file(file_id=file.pk)
    waiting = reread(file)
    assert (counts(waiting), waiting.attempts) == (("running", 44, 37, 0, 7), 0)
    assert book_file(file_id=file.pk)
    assert counts(reread(file)) == ("done", 44, 37, 0, 7)
    assert len(results(file)) == 44


@pytest.mark.usefixtures("small_slices")
def test_second_worker_skips_a_running_file(merchant: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    file = started(merchant, many(44))
    genuine = booking_files.book_rows

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(booking_files, "book_rows", genuine)
        return genuine(*arguments, **options)

    monkeypatch.setattr(booking_files, "book_rows", meanwhile)
    book_file(file_id=file.pk)
    for _again in range(2):
        tasks.book_file(file.pk)
    assert counts(reread(file)) == ("done", 44, 37, 0, 7)


@pytest.mark.usefixtures("small_slices")
def test_long_file_is_queued_again_after_its_time_slice(merchant: Actor) -> None:
    file = started(merchant, many(44))
    turns = 1
    while not book_file(file_id=file.pk, stretch=timedelta(0)):
        turns += 1
    # On a cluster the end has a turn of its own: by then all can be seen.
    assert turns == (6 if is_distributed() else 5)
    assert counts(reread(file)) == ("done", 44, 37, 0, 7)


@pytest.mark.usefixtures("small_slices")
def test_stalled_file_is_queued_again(
    merchant: Actor, sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        file = started(merchant, many(44))
    assert sent == [("parcels.tasks.book_file", file.pk)]
    assert tasks.resume_booking_files() == 0
    with scope(Scope.everything()):
        BookingFile.objects.update(due_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        assert tasks.resume_booking_files() == 1
    assert sent == 2 * [("parcels.tasks.book_file", file.pk)]


@pytest.mark.usefixtures("small_slices")
def test_cancelling_stops_after_the_current_slice(
    merchant: Actor, rival_merchant: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = started(merchant, many(44))
    genuine = booking_files.append_results

    def stop_after(*arguments: Any) -> None:
        genuine(*arguments)
        monkeypatch.setattr(booking_files, "append_results", genuine)

    monkeypatch.setattr(booking_files, "append_results", stop_after)
    assert not book_file(file_id=file.pk, stretch=timedelta(0))
    with scope(Scope.of(merchant)):
        cancel_booking_file(actor=merchant, file_id=file.pk)
        assert cancel_booking_file(actor=merchant, file_id=file.pk).state == "cancelled"
    assert book_file(file_id=file.pk)
    stopped = reread(file)
    assert (stopped.state, stopped.done, len(parcels_of(merchant))) == ("cancelled", 10, stopped.booked)
    with pytest.raises(NotFound), scope(Scope.of(merchant)):
        cancel_booking_file(actor=merchant, file_id=10**9)


def test_finished_file_cannot_be_cancelled(merchant: Actor) -> None:
    file = finished(merchant, text_of(row()))
    with pytest.raises(Conflict), scope(Scope.of(merchant)):
        cancel_booking_file(actor=merchant, file_id=file.pk)


def test_suspended_merchant_fails_the_file(merchant: Actor, merchant_organisation: Organisation) -> None:
    file = started(merchant, text_of(row()))
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=merchant_organisation.pk).update(status=OrganisationStatus.SUSPENDED)
    assert book_file(file_id=file.pk)
    assert (reread(file).state, reread(file).booked) == ("failed", 0)
    assert reread(file).problem


@pytest.mark.usefixtures("small_slices")
def test_repeatedly_failing_slice_fails_the_file_and_ops_can_resume_it(
    merchant: Actor, system: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = started(merchant, many(14))
    genuine = booking_files.book_rows

    def broken(actor: Actor, rows: Any, records: Any, **given: Any) -> Any:
        if len(records) < 10:
            raise RuntimeError("a bug of ours")
        return genuine(actor, rows, records, **given)

    with monkeypatch.context() as patched:
        patched.setattr(booking_files, "book_rows", broken)
        failed = fail_at_every_attempt(
            file,
            lambda: book_file(file_id=file.pk),
            lambda now: booking_files.resume_booking_files(now=now),
        )
    assert failed.problem == "Something went wrong on our side. Rows already processed: 10."
    with scope(Scope.everything()):
        assert booking_files.retry_booking_file(actor=system, file_id=file.pk)
        assert not booking_files.retry_booking_file(actor=system, file_id=file.pk)
    assert book_file(file_id=file.pk)
    assert counts(reread(file)) == ("done", 14, 12, 0, 2)
    assert reread(file).problem == ""


# --- results  -------------------------------------------------------------------


def test_problems_are_paged_by_their_position(merchant: Actor) -> None:
    file = finished(merchant, text_of(*(row(reference=f"R{n}", weight_g="x") for n in range(25))))
    lines: list[str] = []
    start: int | None = 0
    while start is not None:
        rows, start = read_problems(file, start=start, most=10)
        lines += [result["line"] for result in rows]
    assert lines == [str(line) for line in range(2, 27)]
    assert read_problems(file, start=10**12, most=10)[0] == []


def test_rejected_rows_can_be_downloaded_and_corrected(merchant: Actor) -> None:
    rows = [row(reference=f"R{n}", weight_g="x" if n % 2 else "800") for n in range(6)]
    file = finished(merchant, text_of(*rows))
    again = to_correct(file)
    header, *lines = again.splitlines()
    assert header == f"{NAMES},problem"
    assert [line.split(",")[0] for line in lines] == ["R1", "R3", "R5"]
    assert finished(merchant, again.replace(",x,", ",800,")).booked == 3
    assert len(parcels_of(merchant)) == 6


def test_template_is_a_valid_file(merchant: Actor) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([rules.COLUMNS, rules.SAMPLE])
    assert finished(merchant, text.getvalue()).booked == 1


def test_good_row_has_every_required_column() -> None:
    assert set(GOOD) == set(rules.REQUIRED)
