"""Fill the product of `make restore`, and judge its data after: `python -m drills.restored WHAT ...`."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from alliance import embedded
from alliance.database import partitions
from alliance.database.owner import as_owner
from alliance.database.partitions import Month
from alliance.identifiers import parse_tracking_number, tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation, RetiredMonth
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, Scan
from parcels.retention.retiring import retire_month
from parcels.scan_files.services import receive_scan_file
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.choices import ExportContent, ExportFormat
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.services.entries import work_out_credits
from slas.exports.services.requests import ExportRequest, request_export
from slas.exports.services.writing import write_export
from slas.forecasts.services.folding import fold_progress
from slas.rates.services.folding import fold_tallies
from tests.chaos import product, verdict

# A number that is well-formed and nobody's: its scans are rejected, so nothing but the files is there.
NOBODYS = "CA0EP7TRC0000002"


# Months ago: of one that is moved out before the second, and of one that is after it.
RETIRED_BEFORE, RETIRED_AFTER = 15, 14


def months_ago(number: int) -> Month:
    """Return a month, and have it in the database unless it was moved out."""
    month = Month.of(timezone.now().date()).plus(-number)
    with as_owner():
        partitions.ensure_months(month, month)
    return month


def retire(number: int) -> None:
    """Move an old month out to files, so that there are archives to compare."""
    retire_month(actor=Actor.system("drill"), month=months_ago(number), now=timezone.now())


def upload() -> None:
    """Upload a file of scans and have an export written."""
    actor = _courier()
    text = f"tracking_number,code,occurred_at\n{NOBODYS},delivered,{timezone.now().isoformat()}\n"
    with scope(Scope.of(actor)):
        receive_scan_file(actor=actor, upload=SimpleUploadedFile("scans.csv", text.encode()))
    today = timezone.localdate()
    asked = ExportRequest(ExportContent.RATES, ExportFormat.CSV, today - timedelta(days=30), today)
    with scope(Scope.of(actor)):
        export = request_export(actor=actor, request=asked, now=timezone.now())
    # A worker may have it in its hands.
    while not export.is_finished:
        write_export(export_id=export.pk)
        with scope(Scope.everything()):
            export.refresh_from_db()


@dataclass
class Calls:
    """What clients sent, by whether a restore to a moment keeps it."""

    # Answered before the moment, or sent after the disaster: has to be there.
    kept: list[dict[str, Any]] = field(default_factory=list)
    # Sent between the moment and the disaster: must be gone.
    lost: list[dict[str, Any]] = field(default_factory=list)
    # Sent before the moment and answered after it: whole, or not there.
    open: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[dict[str, Any]]:
        return [*self.kept, *self.lost, *self.open]

    @classmethod
    def read(cls, folder: Path, *, moment: float, disaster: float) -> "Calls":
        paths = folder.glob("shopper-*.jsonl")
        notes = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
        done = {note["done"]: note for note in notes if "done" in note}
        calls = cls(failed=[note["failed"] for note in notes if "failed" in note and note["at"] < disaster])
        for note in (note for note in notes if "send" in note):
            answer = done.get(note["send"])
            is_after = note["at"] > disaster
            call = {**note, "answer": answer and answer["answer"], "is_after": is_after}
            if is_after or (answer and answer["at"] < moment):
                calls.kept.append(call)
            else:
                (calls.lost if note["at"] > moment else calls.open).append(call)
        return calls


def judge(folder: Path, *, moment: float, disaster: float) -> dict[str, Any]:
    """Say what is there, and what is not as it has to be."""
    sweep_overdue(now=timezone.now())
    fold_tallies()
    fold_progress()
    work_out_credits(now=timezone.now())
    calls = Calls.read(folder, moment=moment, disaster=disaster)
    told = verdict.Told(failed=calls.failed)
    for call in calls.kept:
        told.booked |= _booked(call)
        told.scanned |= _events(call) if "accepted" in (call["answer"] or {}) else set()
    with scope(Scope.everything()):
        references = set(Parcel.objects.values_list("reference", flat=True))
        parcels = set(Parcel.objects.values_list("pk", flat=True))
        scans = set(Scan.objects.values_list("parcel_id", "event_id"))
        complaints = verdict.complaints(told, now=timezone.now())
    there = {call["send"]: _references(call) & references or _events(call) & scans for call in calls.all}
    lost = {parcel_id for call in (*calls.lost, *calls.open) for parcel_id in _booked(call)} - parcels
    known = {reference for call in (*calls.kept, *calls.open) for reference in _references(call)}
    return {
        "wrong": [
            *(
                f"{call['send']}, sent after the moment, is there"
                for call in calls.lost
                if there[call["send"]]
            ),
            *(
                f"{call['send']} is there in part"
                for call in calls.open
                if there[call["send"]] and there[call["send"]] != (_references(call) or _events(call))
            ),
            *(f"nobody ever booked {reference}" for reference in references - known),
            *_months(),
            *_ids(calls),
            *_unknown(lost),
            *complaints,
        ],
        "acknowledged": len(told.booked) + len(told.scanned),
        "missing": len(told.booked - parcels) + len(told.scanned - scans),
        "still_there": sum(bool(there[call["send"]]) for call in calls.lost),
        "lost_numbers": sorted(map(tracking_number, lost)),
        "kept": len(calls.kept),
        "lost": len(calls.lost),
        "parcels": len(parcels),
        "scans": len(scans),
    }


def _months() -> Iterator[str]:
    """What was moved out before the moment is out; what was after it is back, and can be moved out again."""
    today = Month.of(timezone.now().date())
    with scope(Scope.everything()):
        retired = set(RetiredMonth.objects.values_list("month", flat=True))
    if retired != {today.plus(-RETIRED_BEFORE).first_day}:
        yield f"retired months: {sorted(map(str, retired))}"
    retire(RETIRED_AFTER)


def _ids(calls: Calls) -> Iterator[str]:
    """No parcel that is booked after the restore has an id below one that was handed out before."""
    before: list[int] = []
    after: list[int] = []
    for call in calls.all:
        (after if call["is_after"] else before).extend(_booked(call))
    if after and before and min(after) <= max(before):
        yield f"parcel {min(after)} was booked after the restore and is below {max(before)}"


def _unknown(lost: set[int]) -> Iterator[str]:
    """Scans of parcels that are lost are refused for that reason."""
    if not lost:
        return
    lines = [ScanLine(tracking_number(parcel_id), "picked_up", timezone.now()) for parcel_id in lost]
    actor = _courier()
    with scope(Scope.of(actor)):
        report = record_scans(actor=actor, lines=lines)
    codes = Counter(rejection.code for rejection in report.rejections)
    if codes != {"unknown_parcel": len(lost)}:
        yield f"scans of {len(lost)} lost parcels are rejected for {dict(codes)}"


def _courier() -> Actor:
    with scope(Scope.everything()):
        courier = Organisation.objects.filter(kind="courier").order_by("pk")[0]
    return actor_of_organisation(courier, kind="user", role="owner", label="drill")


def _booked(call: dict[str, Any]) -> set[int]:
    return {parse_tracking_number(number) for number, _ in (call["answer"] or {}).get("results", [])}


def _references(call: dict[str, Any]) -> set[str]:
    return {item["reference"] for item in call["items"] if "reference" in item}


def _events(call: dict[str, Any]) -> set[tuple[int, str]]:
    scans = [item for item in call["items"] if "event_id" in item]
    return {(parse_tracking_number(item["tracking_number"]), item["event_id"]) for item in scans}


def main() -> None:
    what, *arguments = sys.argv[1:]
    with embedded.running():
        if what == "fill":
            folder, port = arguments
            product.populate(Path(folder), int(port))
            months_ago(RETIRED_AFTER)
            retire(RETIRED_BEFORE)
            upload()
        elif what == "upload":
            retire(RETIRED_AFTER)
            upload()
        else:
            folder, _port, moment, disaster = arguments
            found = judge(Path(folder), moment=float(moment), disaster=float(disaster))
            sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
