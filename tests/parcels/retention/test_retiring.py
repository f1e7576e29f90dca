"""Retention: a complete month moves to files; rates and credits stay; blockers keep a month."""

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
from parcels.freight.models import Surcharge
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


# --- retiring a month ------------------------------------------------------------------------


def test_retired_month_is_in_files_and_not_in_tables(
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
    assert {name: table_info["rows"] for name, table_info in manifest["tables"].items()} == TABLES
    for name, table_info in manifest["tables"].items():
        assert table_info["sha256"] == archive_files.digest(folder / f"{name}.parquet")
    rows = pyarrow.parquet.read_table(folder / "parcels_scan.parquet").to_pylist()
    assert [(row["parcel_id"], row["event_key"], row["code"], row["occurred_at"]) for row in rows] == scans
    assert retired.state == "gone"
    assert leftovers() == []
    assert counts() == {**before, "parcels": 0, "commitments": 0}
    with scope(Scope.everything()):
        verbs = AuditEntry.objects.filter(object_id=str(OLD)).order_by("id").values_list("verb", flat=True)
        assert list(verbs) == ["month.leaving", "month.retired"]


def test_rates_and_credits_pass_the_audit_after_retirement(settled: list[Parcel], system: Actor) -> None:
    with scope(Scope.everything()):
        assert CreditEntry.objects.count() == 4
    retire(system)
    assert differences() == []


def test_audit_still_finds_errors_of_later_days(
    settled: list[Parcel], system: Actor, merchant_organisation: Organisation, courier: Actor
) -> None:
    retire(system)
    with scope(Scope.everything()):
        rate = OnTimeRate.objects.order_by("-due_date").first()
        rate.pk, rate.due_date, rate.marks = None, timezone.localdate(), None
        rate.save()
    assert len(differences()) == 1


def test_archive_files_have_no_personal_data(settled: list[Parcel], system: Actor, archive: Path) -> None:
    retire(system)
    columns = pyarrow.parquet.read_schema(archive / str(OLD) / "parcels_parcel.parquet").names
    assert {"id", "merchant_id", "status", "reference"} <= set(columns)
    assert not [name for name in columns if name.startswith("recipient")]


def test_month_is_read_in_batches(
    settled: list[Parcel], system: Actor, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_files, "BATCH", 5)
    retire(system)
    file = pyarrow.parquet.ParquetFile(archive / str(OLD) / "parcels_scan.parquet")
    assert (file.metadata.num_rows, file.metadata.num_row_groups) == (28, 6)


# --- blockers --------------------------------------------------------------------------------


def test_open_items_block_retirement(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor, system: Actor
) -> None:
    old_parcels(merchant_organisation, courier_organisation, courier)
    with pytest.raises(Conflict) as refused:
        retire(system)
    for phrase in (
        "2 promises are still open",
        "credits wait to be worked out",
        "changes wait",
        "6 parcels still name",
    ):
        assert phrase in refused.value.detail
    assert not RetiredMonth.objects.exists()
    assert counts()["parcels"] == 6


def test_claims_statements_and_exports_block_retirement(settled: list[Parcel], system: Actor) -> None:
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
        Surcharge.objects.create(
            merchant_id=breach.merchant_id, courier_id=breach.courier_id, month=OLD.first_day, amount_fen=1
        )
        Export.objects.create(
            content="commitments", format="csv", first=OLD.first_day, last=timezone.localdate(),
            language="en", file="x", expires_at=timezone.now(),
        )  # fmt: skip
    with pytest.raises(Conflict) as refused:
        retire(system)
    assert refused.value.detail == (
        "1 claims wait for a decision; 4 credits are on a statement that is not final; "
        "1 exports are being written; 1 sums and surcharges of freight are not final"
    )


def test_months_are_retired_in_order(settled: list[Parcel], system: Actor) -> None:
    with pytest.raises(Conflict, match=f"{OLD} is still here"):
        retiring.retire_month(actor=system, month=OLD.plus(1), now=timezone.now())


def test_only_ops_can_retire(settled: list[Parcel], courier: Actor) -> None:
    with pytest.raises(NotPermitted):
        retire(courier)


def test_table_is_kept_if_its_file_differs(
    settled: list[Parcel], system: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = archive_files._batches
    calls = iter(range(100))

    def other(source: Any, schema: Any) -> Iterator[Any]:
        """The second read of a table returns one row less than the first one wrote."""
        skip = next(calls) % 2
        yield from (batch.slice(skip) for batch in real(source, schema))

    with monkeypatch.context() as patched:
        patched.setattr(archive_files, "_batches", other)
        with pytest.raises(archive_files.Damaged):
            retire(system)
    assert len(leftovers()) == 4
    assert RetiredMonth.objects.get().state == "detached"
    assert retire(system).state == "gone"


# --- the command -----------------------------------------------------------------------------


def output_of(*arguments: str) -> str:
    out = StringIO()
    call_command("retire_months", *arguments, stdout=out)
    return out.getvalue()


def test_command_without_really_changes_nothing(settled: list[Parcel], archive: Path) -> None:
    output = output_of()
    assert f"{OLD}: parcels_parcel 6, parcels_scan 28, slas_breach 6, slas_commitment 12" in output
    assert "Nothing was changed" in output
    assert not RetiredMonth.objects.exists()
    assert not archive.exists()


def test_command_with_really_retires(settled: list[Parcel], archive: Path) -> None:
    assert f"{OLD} is in {archive / str(OLD)}" in output_of("--really")
    assert "No month is older than 13 months." in output_of("--really")


def test_command_shows_blockers(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> None:
    old_parcels(merchant_organisation, courier_organisation, courier)
    assert "not yet: 2 promises are still open" in output_of()
    with pytest.raises(CommandError, match="stays: 2 promises are still open"):
        output_of("--really")
