"""The columns of exported files, in order, with their types. Pure.

No column contains a recipient, an address, a phone number or a merchant's reference: a file is passed on more
easily than a page. `docs/exports.md` has the table of columns; a test checks that the two agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from alliance.identifiers import tracking_number
from alliance.public_ids import IdKind, public_id
from slas.choices import ExportContent
from slas.commitments.rules import accountable_rate, raw_rate
from slas.promises.prices import CURRENCY

Value = str | int | float | bool | Decimal | date | datetime | None


class Kind(StrEnum):
    """The type of a column's values, named as in the documentation."""

    TEXT = "text"
    CODE = "code"  # text with few distinct values: dictionary-encoded in Parquet
    WHOLE = "whole number"
    MONEY = "money"  # yuan, two decimals
    SHARE = "share"  # between 0 and 1
    MOMENT = "moment"  # UTC
    DAY = "day"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Names:
    """The public names for a page's ids."""

    organisations: dict[int, str] = field(default_factory=dict)
    cities: dict[int, str] = field(default_factory=dict)
    tiers: dict[int, str] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)

    def name(self, organisation_id: int | None) -> str | None:
        return None if organisation_id is None else self.organisations[organisation_id]


@dataclass(frozen=True, slots=True)
class Line:
    """The data that the columns of one row are made from."""

    # A commitment, or a cell of on-time rates.
    row: Any
    names: Names
    courier_id: int
    merchant_id: int | None
    # For a commitment: the original due time, before revisions.
    promised_at: datetime | None = None
    with_fees: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind
    value: Callable[[Line], Value]


def _column(name: str, kind: Kind, value: Callable[[Line], Value] | None = None) -> Column:
    """A column; without `value`, the row's field of that name."""
    return Column(name, kind, value or (lambda line: getattr(line.row, name)))


def _count(name: str) -> Column:
    return _column(name, Kind.WHOLE)


_PARTIES = (
    _column("courier", Kind.CODE, lambda line: public_id(IdKind.COURIER, line.courier_id)),
    _column("courier_name", Kind.CODE, lambda line: line.names.name(line.courier_id)),
    _column(
        "merchant", Kind.CODE, lambda line: line.merchant_id and public_id(IdKind.MERCHANT, line.merchant_id)
    ),
    _column("merchant_name", Kind.CODE, lambda line: line.names.name(line.merchant_id)),
)
_JOURNEY = (
    _column("tier", Kind.CODE, lambda line: line.names.tiers[line.row.tier_id]),
    _column("origin", Kind.CODE, lambda line: line.names.cities[line.row.origin_id]),
    _column("destination", Kind.CODE, lambda line: line.names.cities[line.row.destination_id]),
)
_MOMENTS = (
    "reached_at", "ready_at", "picked_up_at", "departed_at", "arrived_at", "out_for_delivery_at",
    "attempted_at", "delivered_at", "lost_at",
)  # fmt: skip

COMMITMENT_COLUMNS: tuple[Column, ...] = (
    _column("tracking_number", Kind.TEXT, lambda line: tracking_number(line.row.parcel_id)),
    _column("kind", Kind.CODE, lambda line: line.row.kind),
    *_PARTIES,
    *_JOURNEY,
    _column("tier_version", Kind.WHOLE, lambda line: line.names.versions.get(line.row.version_id)),
    _column("due_date", Kind.DAY),
    _column("promise_original", Kind.MOMENT, lambda line: line.promised_at or line.row.due_at),
    _column("promise_current", Kind.MOMENT, lambda line: line.row.revised_due_at or line.row.due_at),
    _column("judged_by", Kind.MOMENT, lambda line: line.row.due_at),
    _column("outcome", Kind.CODE),
    _column("late_by_seconds", Kind.WHOLE, lambda line: _late_by(line.row)),
    _column("is_excused", Kind.FLAG, lambda line: line.row.excused),
    _column("excuse_reason", Kind.CODE, lambda line: line.row.excuse_reason or None),
    _column("price", Kind.MONEY, lambda line: _money(line, line.row.fee_fen)),
    _column("declared_value", Kind.MONEY, lambda line: _money(line, line.row.declared_value_fen)),
    _column("currency", Kind.CODE, lambda line: None if _money(line, line.row.fee_fen) is None else CURRENCY),
    *(_column(name, Kind.MOMENT) for name in _MOMENTS),
)

RATE_COLUMNS: tuple[Column, ...] = (
    _column("due_date", Kind.DAY),
    _column("kind", Kind.CODE, lambda line: line.row.kind),
    *_PARTIES,
    *_JOURNEY,
    *(_count(name) for name in ("pending", "met", "late", "overdue", "void", "excused")),
    _column("n", Kind.WHOLE, lambda line: line.row.met + line.row.late + line.row.overdue),
    _column("raw_rate", Kind.SHARE, lambda line: raw_rate(line.row.met, line.row.late, line.row.overdue)),
    _column(
        "accountable_rate",
        Kind.SHARE,
        lambda line: accountable_rate(line.row.met, line.row.late, line.row.overdue, line.row.excused),
    ),
    *(_count(name) for name in ("attempted", "first_attempt", "within_48h", "within_72h")),
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    ExportContent.COMMITMENTS: COMMITMENT_COLUMNS,
    ExportContent.RATES: RATE_COLUMNS,
}


def values_of(columns: Sequence[Column], lines: Sequence[Line]) -> list[list[Value]]:
    return [[column.value(line) for column in columns] for line in lines]


def _late_by(row: Any) -> int | None:
    """How late the milestone was reached; None if it is on time, open or still missing."""
    if row.reached_at is None or row.reached_at <= row.due_at:
        return None
    return int((row.reached_at - row.due_at).total_seconds())


def _money(line: Line, fen: int | None) -> Decimal | None:
    return None if fen is None or not line.with_fees else Decimal(fen).scaleb(-2)
