"""Files of commitments and cells, for tests: request, write, read."""

import csv
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet

from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.choices import ExportContent, ExportFormat
from slas.commitments.services.settling import Milestone, settle
from slas.exports.columns import COLUMNS, Kind
from slas.exports.services.requests import ExportRequest, request_export
from slas.exports.services.writing import write_export
from slas.models import Export
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, Lane

FIRST, LAST = (NOON - 40 * DAY).date(), (NOON + 10 * DAY).date()
COMMITMENTS, RATES = ExportContent.COMMITMENTS, ExportContent.RATES
CSV, PARQUET = ExportFormat.CSV, ExportFormat.PARQUET


def owner(organisation: Organisation, role: str = "owner") -> Actor:
    return actor_of_organisation(organisation, kind="user", role=role, label="somebody")


def ask(
    actor: Actor,
    content: str = COMMITMENTS,
    format: str = CSV,
    first: date = FIRST,
    last: date = LAST,
    *,
    now: datetime = NOON,
) -> Export:
    with scope(Scope.of(actor)):
        return request_export(actor=actor, request=ExportRequest(content, format, first, last), now=now)


def written(actor: Actor, *asked: Any, rows_a_slice: int = 7, **given: Any) -> Export:
    """Ask for a file and have it written, a few rows at a time."""
    export = ask(actor, *asked, **given)
    assert write_export(export_id=export.pk, rows_a_slice=rows_a_slice)
    return reread(export)


def reread(export: Export) -> Export:
    with scope(Scope.everything()):
        return Export.objects.get(pk=export.pk)


def read_csv(export: Export) -> list[dict[str, str]]:
    with Path(export.file.path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def numbers(export: Export) -> list[str]:
    return [row["tracking_number"] for row in read_csv(export)]


def read_parquet(export: Export) -> list[dict[str, Any]]:
    return pyarrow.parquet.read_table(export.file.path).to_pylist()


def understood(content: str, row: dict[str, str]) -> dict[str, Any]:
    """A line of CSV as values: what a reader makes of it who knows the documented types."""
    readers: dict[Kind, Any] = {
        Kind.TEXT: lambda text: text.removeprefix("'"),
        Kind.CODE: lambda text: text.removeprefix("'"),
        Kind.WHOLE: int,
        Kind.MONEY: Decimal,
        Kind.SHARE: float,
        Kind.MOMENT: datetime.fromisoformat,
        Kind.DAY: date.fromisoformat,
        Kind.FLAG: {"true": True, "false": False}.__getitem__,
    }
    kinds = {column.name: column.kind for column in COLUMNS[content]}
    return {name: readers[kinds[name]](text) if text else None for name, text in row.items()}


def some_promises(lane: Lane, count: int = 20) -> list[int]:
    """Deliveries due on different days: on time, late, still open, in turn."""
    parcels = []
    for number in range(count):
        due = NOON - timedelta(days=number % 9, minutes=number)
        parcel_id = lane.promise(due, fee_fen=1_000 + number, ready_at=due - DAY)
        reached = (due - HOUR, due + timedelta(minutes=90 + number), None)[number % 3]
        if reached is not None:
            settle([Milestone(parcel_id, DELIVERY, reached)], now=NOON + HOUR)
        parcels.append(parcel_id)
    return parcels
