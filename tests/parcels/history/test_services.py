"""Importing parcels carried before joining."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from alliance.choices import OrganisationStatus
from alliance.database.cluster import is_distributed
from alliance.database.partitions import (
    Month,
    detach_month,
    drop_detached,
    ensure_months,
    months_of,
    partitioned_tables,
)
from alliance.errors import InvalidInput
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.history import ids, patience, services, shares
from parcels.history.rows import COLUMNS, HistoryRow, Problem, read_history
from parcels.history.services import ImportReport, import_history
from parcels.models import Parcel
from slas.audits.rates import run_audit
from slas.tasks import fold_tallies, sweep_overdue
from tests.citus import servers

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HEADER = ",".join(COLUMNS)


def line(reference: str, **values: str) -> str:
    """One row of a file: booked on 1 March 2018 in Hangzhou, promised for the 3rd in Chengdu."""
    row = {
        "reference": reference,
        "merchant": "lotus",
        "courier": "swift",
        "tier": "standard",
        "origin": "CN-HGH",
        "destination": "成都",
        "booked_at": "2018-03-01T10:00:00+08:00",
        "promised_by": "2018-03-03T20:00:00+08:00",
        "picked_up_at": "2018-03-01T18:00:00+08:00",
        **values,
    }
    return ",".join(row.get(name, "") for name in COLUMNS)


STORY = [
    line("on-time", delivered_at="2018-03-03T20:00:00+08:00"),
    # The same moment in another zone.
    line("on-time-elsewhere", delivered_at="2018-03-03T09:00:00-03:00"),
    line("one-second-late", delivered_at="2018-03-03T20:00:01+08:00"),
    # The first attempt is judged.
    line("attempted", attempted_at="2018-03-03T12:00:00+08:00", delivered_at="2018-03-05T12:00:00+08:00"),
    line("never-came"),
    line("cancelled", picked_up_at="", cancelled_at="2018-03-01T11:00:00+08:00"),
    # Cancelled after pickup: the promise still applies.
    line("cancelled-on-the-way", cancelled_at="2018-03-02T11:00:00+08:00"),
    line("picked-up-before-booking", picked_up_at="2018-03-01T09:00:00+08:00",
         delivered_at="2018-03-02T09:00:00+08:00"),
]  # fmt: skip
OUTCOMES = {"met": 4, "late": 1, "overdue": 2, "void": 1}


def bring(
    rows: list[str],
    *,
    create: bool = True,
    header: str = HEADER,
    writers: int = 1,
    on_wait: Callable[[Exception], None] = lambda error: None,
) -> ImportReport:
    file = io.BytesIO(("\n".join([header, *rows]) + "\n").encode())
    return import_history(
        actor=Actor.system("test"),
        rows=read_history(file, now=NOW),
        create=create,
        now=NOW,
        writers=writers,
        on_wait=on_wait,
    )


def problem_of(row: str) -> Problem:
    results = list(read_history(io.BytesIO(f"{HEADER}\n{row}\n".encode()), now=NOW))
    assert len(results) == 1
    assert isinstance(results[0], Problem)
    return results[0]


def outcomes() -> dict[str, int]:
    with scope(Scope.everything()):
        return dict(raw_rows("SELECT outcome, count(*) FROM slas_commitment GROUP BY 1"))


@pytest.fixture(scope="module", autouse=True)
def _months_are_there(django_db_setup: None, django_db_blocker: Any) -> None:
    """On a cluster nobody writes in the transaction in which the owner has made months.

    Tests that commit come last, and drop them.
    """
    if servers.URL:
        with django_db_blocker.unblock():
            ensure_months(Month(2018, 3), Month(2018, 4))


@pytest.mark.django_db
def test_outcomes_match_manual_counts() -> None:
    report = bring(STORY)
    assert (report.new, report.known, report.bad, report.warnings) == (8, 0, 0, 1)
    sweep_overdue()
    assert outcomes() == OUTCOMES
    fold_tallies()
    with scope(Scope.everything()):
        cells = raw_rows(
            "SELECT sum(met), sum(late), sum(overdue), sum(void), sum(pending) FROM slas_ontimerate"
        )
        # Each outcome counts once for the courier and once for the merchant.
        assert cells == [(8, 2, 4, 2, 0)]
        assert not run_audit(actor=Actor.system("test")).cells


@pytest.mark.django_db
def test_importing_again_changes_nothing() -> None:
    bring(STORY)
    sweep_overdue()
    with scope(Scope.everything()):
        before = raw_rows("SELECT id, status, status_at FROM parcels_parcel ORDER BY id")
        scans = raw_rows("SELECT count(*) FROM parcels_scan")
    report = bring(STORY, create=False)
    assert (report.new, report.known, report.bad) == (0, 8, 0)
    with scope(Scope.everything()):
        assert raw_rows("SELECT id, status, status_at FROM parcels_parcel ORDER BY id") == before
        assert raw_rows("SELECT count(*) FROM parcels_scan") == scans
    assert outcomes() == OUTCOMES


@pytest.mark.django_db
def test_later_file_adds_later_scans() -> None:
    bring([line("r1")])
    sweep_overdue()
    bring([line("r1", delivered_at="2018-03-03T12:00:00+08:00")])
    assert outcomes() == {"met": 1}


@pytest.mark.django_db
def test_bad_rows_do_not_affect_good_rows() -> None:
    report = bring([line("good"), line("bad", tier="teleport"), line("", merchant=""), line("also-good")])
    assert (report.new, report.bad) == (2, 2)
    assert {(problem.line, problem.column) for problem in report.problems} == {
        (3, "tier"),
        (4, "reference"),
        (4, "merchant"),
    }


@pytest.mark.django_db
def test_unknown_organisations_are_created_only_with_create() -> None:
    refused = bring([line("r1")], create=False)
    assert (refused.new, refused.bad) == (0, 1)
    assert "--create" in refused.problems[0].message
    with scope(Scope.everything()):
        assert not Organisation.objects.exists()
    assert bring([line("r1")]).created == ["merchant: lotus", "courier: swift"]
    with scope(Scope.everything()):
        # This courier has not been vetted.
        assert Organisation.objects.get(name="swift").status == OrganisationStatus.APPLICANT


@pytest.mark.django_db
def test_rejected_row_creates_no_organisation() -> None:
    bring([line("r1", origin="Atlantis")])
    with scope(Scope.everything()):
        assert not Organisation.objects.exists()


@pytest.mark.django_db
def test_repeated_reference_in_a_file_is_one_parcel() -> None:
    report = bring([line("r1"), line("r1"), line("r1", merchant="bamboo")])
    assert (report.new, report.bad) == (2, 1)
    assert "Line 2" in report.problems[0].message


@pytest.mark.django_db
def test_reference_with_another_booking_time_is_refused() -> None:
    bring([line("r1")])
    report = bring([line("r1", booked_at="2018-03-01T10:00:01+08:00")])
    assert (report.new, report.bad) == (0, 1)
    assert "a different booking time" in report.problems[0].message


@pytest.fixture
def colliding_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give all parcels booked in a millisecond the same sequence of ids."""
    genuine = ids.history_parcel_id
    monkeypatch.setattr(
        ids, "history_parcel_id", lambda at, key, *, attempt=0: genuine(at, "the same", attempt=attempt)
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("colliding_ids")
def test_parcels_with_colliding_ids_get_different_ids() -> None:
    rows = [line(f"r{number}") for number in range(4)]
    assert bring(rows[:2]).new == 2
    report = bring(rows)
    assert (report.new, report.known) == (2, 2)
    with scope(Scope.everything()):
        assert Parcel.objects.count() == 4


@pytest.fixture
def months_of_2018(transactional_db: None) -> Iterator[None]:
    """Drop the months that an import makes, which a test that commits leaves behind."""
    yield
    for table in partitioned_tables():
        for number in range(3, 5):
            month = Month(2018, number)
            if month.suffix in months_of(table):
                detach_month(table, month)
                drop_detached(table, month)


@pytest.mark.usefixtures("colliding_ids", "months_of_2018")
def test_writers_side_by_side_take_no_id_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "CHUNK", 3)
    again = line("r5", booked_at="2018-03-01T11:00:00+08:00")
    rows = [*STORY, *(line(f"r{number}") for number in range(12)), again, line("bad", tier="teleport")]
    report = bring(rows, writers=2)
    assert (report.new, report.known, report.bad) == (20, 0, 2)
    # On a cluster all rows of a reference are written together, and compared before.
    words = "already has this reference" if is_distributed() else "a different booking time"
    assert words in next(p.message for p in report.problems if p.line == 22)
    sweep_overdue()
    assert outcomes() == {**OUTCOMES, "overdue": OUTCOMES["overdue"] + 12}
    assert bring(rows, writers=3).known == 20
    with scope(Scope.everything()):
        assert Parcel.objects.count() == 20


@pytest.mark.usefixtures("months_of_2018")
def test_what_an_outage_undid_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first attempt at names and at a chunk is cut off after it has written."""
    failing, waits = ["note_imports", "record_scans"], list[Exception]()

    def cut_off(name: str, function: Any) -> Any:
        def once(**arguments: Any) -> Any:
            result = function(**arguments)
            if name in failing:
                failing.remove(name)
                raise OperationalError("server closed the connection unexpectedly")
            return result

        return once

    monkeypatch.setattr(patience, "PAUSE", 0)
    for name in failing:
        monkeypatch.setattr(services, name, cut_off(name, getattr(services, name)))
    report = bring(STORY, on_wait=waits.append)
    assert len(waits) == 2
    assert (report.new, report.known, report.bad, report.warnings) == (8, 0, 0, 1)
    assert report.created == ["merchant: lotus", "courier: swift"]
    sweep_overdue()
    assert outcomes() == OUTCOMES


@pytest.mark.django_db
def test_outage_without_end_ends_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_arguments: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(patience, "PATIENCE", 0)
    monkeypatch.setattr(services, "record_scans", away)
    with pytest.raises(OperationalError):
        bring(STORY)


@pytest.mark.parametrize(
    ("values", "column", "words"),
    [
        ({"booked_at": "yesterday"}, "booked_at", "not a time"),
        ({"booked_at": "2018-03-01T10:00:00"}, "booked_at", "offset"),
        ({"booked_at": "2015-12-31T10:00:00+00:00", "picked_up_at": ""}, "booked_at", "before 2016"),
        ({"promised_by": ""}, "promised_by", "required"),
        ({"promised_by": "2018-02-28T10:00:00+08:00"}, "promised_by", "before the booking"),
        ({"delivered_at": "2018-02-28T10:00:00+08:00"}, "delivered_at", "before the booking"),
        ({"delivered_at": "2077-01-01T10:00:00+08:00"}, "delivered_at", "future"),
        ({"reference": "x" * 65}, "reference", "longer than 64"),
        ({"merchant": "a\0b"}, "merchant", "cannot be printed"),
    ],
)
def test_problem_has_line_column_and_message(values: dict[str, str], column: str, words: str) -> None:
    problem = problem_of(line("r1", **values)) if "reference" not in values else problem_of(line(**values))
    assert (problem.line, problem.column) == (2, column)
    assert words in problem.message


def test_row_with_too_few_values_is_a_problem() -> None:
    assert "fewer cells" in problem_of("r1,lotus").message


def test_columns_may_be_in_any_order() -> None:
    names = list(reversed(COLUMNS))
    values = dict(zip(COLUMNS, line("r1").split(","), strict=True))
    text = ",".join(names) + "\n" + ",".join(values[name] for name in names)
    (row,) = read_history(io.BytesIO(text.encode()), now=NOW)
    assert isinstance(row, HistoryRow)
    assert row.reference == "r1"


def test_file_without_the_columns_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        list(read_history(io.BytesIO(b"reference,merchant\nr1,lotus\n"), now=NOW))
    assert "promised_by" in refused.value.errors[0].message


@pytest.mark.django_db
def test_command_reports_and_writes_the_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, problems = tmp_path / "history.csv", tmp_path / "problems.csv"
    file.write_text("\ufeff" + "\n".join([HEADER, line("r1"), line("r2", tier="slow")]), encoding="utf-8")
    call_command("import_history", file, create=True, problems=problems, writers=1)
    printed = capsys.readouterr()
    assert "2 rows: 1 new parcels, 0 known already, 1 bad" in printed.out
    assert "line 3, tier" in printed.err
    assert "3,tier,left out" in problems.read_text(encoding="utf-8")


@pytest.mark.django_db
def test_command_refuses_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_history", tmp_path / "nothing.csv", writers=1)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00reference")
    with pytest.raises(CommandError, match="no column"):
        call_command("import_history", binary, writers=1)


@pytest.mark.django_db
def test_invalid_bytes_and_unclosed_quotes_reject_only_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    not_text = line("r4").replace("lotus", "lot\udcffus")
    rows = [HEADER, line("r1"), line('"r2'), line("r3"), not_text, line("r5")]
    file = tmp_path / "history.csv"
    file.write_bytes("\n".join(rows).encode("utf-8", "surrogateescape"))
    call_command("import_history", file, create=True, writers=1)
    printed = capsys.readouterr()
    assert "5 rows: 3 new parcels, 0 known already, 2 bad" in printed.out
    assert "line 3 (left out): A quotation mark is not closed" in printed.err
    assert "line 5 (left out): The encoding of this line differs" in printed.err
