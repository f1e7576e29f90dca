"""Retention: a month moves to files whole; rates and credits stay, and so does what is still open."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from alliance.errors import Conflict, NotPermitted
from alliance.models import AuditEntry, Organisation, RetiredMonth
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, Scan
from parcels.retention import archive_files, retiring
from slas.models import Breach, CreditEntry, OnTimeRate
from tests.parcels.helpers.retired_months import (
    OLD,
    TABLES,
    counts,
    differences,
    leftovers,
    old_parcels,
    retire,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive")]


# --- a month that leaves ---------------------------------------------------------------------


def test_a_month_is_in_files_and_gone_from_the_tables(
    settled: list[Parcel], system: Actor, archive: Path
) -> None:
    before = counts()
    assert differences() == []
    with scope(Scope.everything()):
        scans = sorted(Scan.objects.values_list("parcel_id", "event_key", "code", "occurred_at"))
    retired = retire(system)
    folder = archive / str(OLD)
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}.parquet" for name in TABLES),
        "manifest.json",
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {name: kept["rows"] for name, kept in manifest["tables"].items()} == TABLES
    for name, kept in manifest["tables"].items():
        assert kept["sha256"] == archive_files.digest(folder / f"{name}.parquet")
    kept = pyarrow.parquet.read_table(folder / "parcels_scan.parquet").to_pylist()
    assert [(row["parcel_id"], row["event_key"], row["code"], row["occurred_at"]) for row in kept] == scans
    assert retired.state == "gone"
    assert leftovers() == []
    assert counts() == {**before, "parcels": 0, "commitments": 0}
    with scope(Scope.everything()):
        verbs = AuditEntry.objects.filter(object_id=str(OLD)).order_by("id").values_list("verb", flat=True)
        assert list(verbs) == ["month.leaving", "month.retired"]


def test_rates_and_credits_pass_the_audit_afterwards(settled: list[Parcel], system: Actor) -> None:
    with scope(Scope.everything()):
        assert CreditEntry.objects.count() == 4
    retire(system)
    assert differences() == []


def test_the_audit_still_finds_what_is_wrong_with_later_days(
    settled: list[Parcel], system: Actor, merchant_organisation: Organisation, courier: Actor
) -> None:
    retire(system)
    with scope(Scope.everything()):
        rate = OnTimeRate.objects.order_by("-due_date").first()
        rate.pk, rate.due_date, rate.marks = None, timezone.localdate(), None
        rate.save()
    assert len(differences()) == 1


def test_files_name_no_recipient(settled: list[Parcel], system: Actor, archive: Path) -> None:
    retire(system)
    columns = pyarrow.parquet.read_schema(archive / str(OLD) / "parcels_parcel.parquet").names
    assert {"id", "merchant_id", "status", "reference"} <= set(columns)
    assert not [name for name in columns if name.startswith("recipient")]


def test_a_month_is_read_in_batches(
    settled: list[Parcel], system: Actor, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_files, "BATCH", 5)
    retire(system)
    file = pyarrow.parquet.ParquetFile(archive / str(OLD) / "parcels_scan.parquet")
    assert (file.metadata.num_rows, file.metadata.num_row_groups) == (28, 6)


# --- what stays ------------------------------------------------------------------------------


def test_nothing_leaves_while_something_is_open(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor, system: Actor
) -> None:
    old_parcels(merchant_organisation, courier_organisation, courier)
    with pytest.raises(Conflict) as refused:
        retire(system)
    for said in (
        "2 promises are still open",
        "credits wait to be worked out",
        "changes wait",
        "6 parcels still name",
    ):
        assert said in refused.value.detail
    assert not RetiredMonth.objects.exists()
    assert counts()["parcels"] == 6


def test_claims_statements_and_exports_hold_a_month_back(settled: list[Parcel], system: Actor) -> None:
    from slas.models import ClosedMonth, Excuse, Export  # noqa: PLC0415

    with scope(Scope.everything()):
        breach = Breach.objects.first()
        Excuse.objects.create(
            parcel_id=breach.parcel_id,
            kind=breach.kind,
            merchant_id=breach.merchant_id,
            courier_id=breach.courier_id,
            reason="weather",
            source="courier",
            state="claimed",
        )
        ClosedMonth.objects.all().delete()
        Export.objects.create(
            content="commitments", format="csv", first=OLD.first_day, last=timezone.localdate(),
            language="en", file="x", expires_at=timezone.now(),
        )  # fmt: skip
    with pytest.raises(Conflict) as refused:
        retire(system)
    assert refused.value.detail == (
        "1 claims wait for a decision; 4 credits are on a statement that is not final; "
        "1 exports are being written"
    )


def test_months_leave_in_order(settled: list[Parcel], system: Actor) -> None:
    with pytest.raises(Conflict, match=f"{OLD} is still here"):
        retiring.retire_month(actor=system, month=OLD.plus(1), now=timezone.now())


def test_nobody_but_ops_retires(settled: list[Parcel], courier: Actor) -> None:
    with pytest.raises(NotPermitted):
        retire(courier)


def test_a_file_that_is_not_the_table_keeps_the_table(
    settled: list[Parcel], system: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = archive_files._batches
    asked = iter(range(100))

    def other(source: Any, schema: Any) -> Iterator[Any]:
        """The second reading of a table finds a row less than the first one has written."""
        skip = next(asked) % 2
        yield from (batch.slice(skip) for batch in real(source, schema))

    with monkeypatch.context() as patched:
        patched.setattr(archive_files, "_batches", other)
        with pytest.raises(archive_files.Damaged):
            retire(system)
    assert len(leftovers()) == 4
    assert RetiredMonth.objects.get().state == "detached"
    assert retire(system).state == "gone"


# --- the command -----------------------------------------------------------------------------


def said_by(*arguments: str) -> str:
    out = StringIO()
    call_command("retire_months", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_would_do_and_does_nothing(settled: list[Parcel], archive: Path) -> None:
    said = said_by()
    assert f"{OLD}: parcels_parcel 6, parcels_scan 28, slas_breach 6, slas_commitment 12" in said
    assert "Nothing was changed" in said
    assert not RetiredMonth.objects.exists()
    assert not archive.exists()


def test_the_command_does_it_when_told(settled: list[Parcel], archive: Path) -> None:
    assert f"{OLD} is in {archive / str(OLD)}" in said_by("--really")
    assert "No month is older than 13 months." in said_by("--really")


def test_the_command_says_what_is_open(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> None:
    old_parcels(merchant_organisation, courier_organisation, courier)
    assert "not yet: 2 promises are still open" in said_by()
    with pytest.raises(CommandError, match="stays: 2 promises are still open"):
        said_by("--really")
