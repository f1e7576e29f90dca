"""Retention: a month moves to files whole, once, wherever it is cut off; rates, credits, pages stay."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alliance import partitions
from alliance.errors import Conflict, NotPermitted
from alliance.models import AuditEntry, Organisation, RetiredMonth
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels import archive_files
from parcels.models import Parcel, Scan
from parcels.scan_input import ScanLine
from parcels.services import retiring
from parcels.services.scans import record_scans
from slas.models import Breach, Commitment, CreditEntry, OnTimeRate
from slas.services.audits import audit_rates
from tests.chaos import stage
from tests.parcels.retired import OLD, old_parcels, settle_all, take_back

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = {"parcels_parcel": 6, "parcels_scan": 28, "slas_breach": 6, "slas_commitment": 12}


@pytest.fixture(autouse=True)
def archive(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.ARCHIVE_ROOT = tmp_path / "archive"
    yield settings.ARCHIVE_ROOT
    take_back()


@pytest.fixture
def parcels(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> list[Parcel]:
    made = old_parcels(merchant_organisation, courier_organisation, courier)
    settle_all()
    return made


def retire(system: Actor) -> RetiredMonth:
    return retiring.retire_month(actor=system, month=OLD, now=timezone.now())


def counts() -> dict[str, int]:
    with scope(Scope.everything()):
        return {
            "rates": OnTimeRate.objects.count(),
            "credits": CreditEntry.objects.count(),
            "parcels": Parcel.objects.count(),
            "commitments": Commitment.objects.count(),
        }


def differences() -> list[str]:
    with scope(Scope.everything()):
        return [str(found) for found in audit_rates().differences]


def leftovers() -> list[tuple[Any, ...]]:
    return raw_rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s", [f"%{OLD.suffix}"]
    )


# --- a month that leaves ---------------------------------------------------------------------


def test_a_month_is_in_files_and_gone_from_the_tables(
    parcels: list[Parcel], system: Actor, archive: Path
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


def test_rates_and_credits_pass_the_audit_afterwards(parcels: list[Parcel], system: Actor) -> None:
    with scope(Scope.everything()):
        assert CreditEntry.objects.count() == 4
    retire(system)
    assert differences() == []


def test_the_audit_still_finds_what_is_wrong_with_later_days(
    parcels: list[Parcel], system: Actor, merchant_organisation: Organisation, courier: Actor
) -> None:
    retire(system)
    with scope(Scope.everything()):
        rate = OnTimeRate.objects.order_by("-due_date").first()
        rate.pk, rate.due_date, rate.marks = None, timezone.localdate(), None
        rate.save()
    assert len(differences()) == 1


def test_files_name_no_recipient(parcels: list[Parcel], system: Actor, archive: Path) -> None:
    retire(system)
    columns = pyarrow.parquet.read_schema(archive / str(OLD) / "parcels_parcel.parquet").names
    assert {"id", "merchant_id", "status", "reference"} <= set(columns)
    assert not [name for name in columns if name.startswith("recipient")]


def test_a_month_is_read_in_batches(
    parcels: list[Parcel], system: Actor, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_files, "BATCH", 5)
    retire(system)
    file = pyarrow.parquet.ParquetFile(archive / str(OLD) / "parcels_scan.parquet")
    assert (file.metadata.num_rows, file.metadata.num_row_groups) == (28, 6)


# --- who asks afterwards ---------------------------------------------------------------------


def test_who_asks_for_a_parcel_is_told_where_it_went(
    parcels: list[Parcel], system: Actor, client: Client, merchant_client: Client, merchant_api: APIClient
) -> None:
    number = parcels[1].number
    retire(system)
    said = f"This parcel was booked in {OLD}"
    for page in (
        client.get(reverse("parcels:track", args=[number])),
        merchant_client.get(reverse("parcels:parcel_detail", args=[number])),
        merchant_client.get(reverse("parcels:breach_detail", args=[number, "delivery"])),
    ):
        assert page.status_code == 410
        assert said in page.content.decode()
    for path in (
        f"/api/v1/tracking/{number}",
        f"/api/v1/parcels/{number}",
        f"/api/v1/breaches/{number}/delivery",
    ):
        answer = merchant_api.get(path)
        assert (answer.status_code, answer.json()["type"]) == (410, "urn:alliance:problem:retired"), path
        assert said in answer.json()["detail"]


def test_an_unknown_parcel_of_another_time_is_still_unknown(
    parcels: list[Parcel], system: Actor, client: Client
) -> None:
    from alliance.identifiers import new_parcel_id, tracking_number  # noqa: PLC0415

    retire(system)
    number = tracking_number(new_parcel_id(timezone.now()))
    assert client.get(reverse("parcels:track", args=[number])).status_code == 404


def test_pages_that_name_it_go_on_working(
    parcels: list[Parcel], system: Actor, merchant_client: Client, courier_client: Client, ops_client: Client
) -> None:
    retire(system)
    with scope(Scope.everything()):
        month = CreditEntry.objects.values_list("month", flat=True)[0]
    pages = {
        merchant_client: [
            reverse("slas:statement_list"),
            reverse("slas:statement_detail", args=[f"{month:%Y-%m}"]),
            reverse("parcels:parcel_list"),
            reverse("slas:breach_list"),
            reverse("slas:rate_list"),
        ],
        courier_client: [reverse("slas:breach_list"), reverse("slas:excuse_list")],
        ops_client: [
            reverse("admin:index"),
            reverse("admin:slas_creditentry_changelist"),
            reverse("admin:slas_excuse_changelist"),
            reverse("admin:alliance_retiredmonth_changelist"),
            reverse("admin:alliance_retiredmonth_change", args=[OLD.first_day]),
        ],
    }
    for visitor, addresses in pages.items():
        for address in addresses:
            assert visitor.get(address).status_code == 200, address


def test_scans_of_it_are_refused_line_by_line(parcels: list[Parcel], system: Actor, courier: Actor) -> None:
    retire(system)
    with scope(Scope.of(courier)):
        report = record_scans(actor=courier, lines=[ScanLine(parcels[0].number, "returned", timezone.now())])
    assert [rejection.code for rejection in report.rejections] == ["unknown_parcel"]


def test_its_month_is_not_made_again(parcels: list[Parcel], system: Actor) -> None:
    retire(system)
    with pytest.raises(Conflict, match="moved out to the archive"):
        partitions.ensure_months(OLD, OLD)


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


def test_claims_statements_and_exports_hold_a_month_back(parcels: list[Parcel], system: Actor) -> None:
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


def test_months_leave_in_order(parcels: list[Parcel], system: Actor) -> None:
    with pytest.raises(Conflict, match=f"{OLD} is still here"):
        retiring.retire_month(actor=system, month=OLD.plus(1), now=timezone.now())


def test_nobody_but_ops_retires(parcels: list[Parcel], courier: Actor) -> None:
    with pytest.raises(NotPermitted):
        retire(courier)


def test_a_file_that_is_not_the_table_keeps_the_table(
    parcels: list[Parcel], system: Actor, monkeypatch: pytest.MonkeyPatch
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


# --- cut off ---------------------------------------------------------------------------------


STEPS = [
    (partitions, "detach_month", 3),
    (retiring, "_leave", 1),
    (archive_files, "write", 2),
    (archive_files, "digest", 4),
    (archive_files, "write_manifest", 1),
    (partitions, "drop_detached", 3),
    (retiring, "_finish", 1),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name", "call"), STEPS, ids=[step[1] for step in STEPS])
def test_cut_off_anywhere_it_goes_on(
    parcels: list[Parcel],
    system: Actor,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    call: int,
    *,
    after: bool,
) -> None:
    real, calls = getattr(owner, name), iter(range(1, 100))

    def killed(*args: Any, **kwargs: Any) -> Any:
        number = next(calls)
        if number == call and not after:
            raise KeyboardInterrupt
        found = real(*args, **kwargs)
        if number == call:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            retire(system)
    assert differences() == []
    if RetiredMonth.objects.get().state != "gone":
        assert retiring.months_due(now=timezone.now())[0] == OLD
    assert retire(system).state == "gone"
    assert leftovers() == []
    manifest = json.loads((archive / str(OLD) / "manifest.json").read_text())
    assert {name: kept["rows"] for name, kept in manifest["tables"].items()} == TABLES
    assert differences() == []


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (partitions, "detach_month"),
        (retiring, "_leave"),
        (retiring, "_write"),
        (retiring, "_seal"),
        (partitions, "drop_detached"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_overtaken_by_another_it_leaves_the_rest_to_that(
    parcels: list[Parcel], system: Actor, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    real = getattr(owner, name)

    def overtaken(*args: Any) -> None:
        real(*args)
        monkeypatch.setattr(owner, name, real)
        assert retire(system).state == "gone"

    monkeypatch.setattr(owner, name, overtaken)
    assert retire(system).state == "gone"
    assert set(RetiredMonth.objects.get().tables) == set(TABLES)
    assert leftovers() == []
    assert differences() == []
    with scope(Scope.everything()):
        assert AuditEntry.objects.filter(verb="month.retired").count() == 1


def test_killed_for_real_again_and_again_it_ends_well(parcels: list[Parcel], archive: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": stage.database_url(), "ARCHIVE_ROOT": str(archive)}
    command = [sys.executable, "manage.py", "retire_months", "--really"]
    killed = 0
    for tries in range(12):
        running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        # From the moment it begins its work, a bit later each time.
        until = time.monotonic() + 60
        while tries < 8 and running.poll() is None and time.monotonic() < until:
            if RetiredMonth.objects.exists():
                time.sleep(0.03 * tries)
                running.send_signal(signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.01)
        if running.wait(60) == 0:
            break
    assert killed
    assert RetiredMonth.objects.get().state == "gone"
    assert leftovers() == []
    assert differences() == []
    for name, rows in TABLES.items():
        assert pyarrow.parquet.read_metadata(archive / str(OLD) / f"{name}.parquet").num_rows == rows


# --- the command -----------------------------------------------------------------------------


def said_by(*arguments: str) -> str:
    out = StringIO()
    call_command("retire_months", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_would_do_and_does_nothing(parcels: list[Parcel], archive: Path) -> None:
    said = said_by()
    assert f"{OLD}: parcels_parcel 6, parcels_scan 28, slas_breach 6, slas_commitment 12" in said
    assert "Nothing was changed" in said
    assert not RetiredMonth.objects.exists()
    assert not archive.exists()


def test_the_command_does_it_when_told(parcels: list[Parcel], archive: Path) -> None:
    assert f"{OLD} is in {archive / str(OLD)}" in said_by("--really")
    assert "No month is older than 13 months." in said_by("--really")


def test_the_command_says_what_is_open(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> None:
    old_parcels(merchant_organisation, courier_organisation, courier)
    assert "not yet: 2 promises are still open" in said_by()
    with pytest.raises(CommandError, match="stays: 2 promises are still open"):
        said_by("--really")
