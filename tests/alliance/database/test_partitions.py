"""Months of the partitioned tables."""

from datetime import UTC, datetime

import pytest

from alliance.database import partitions
from alliance.database.partitions import Month
from alliance.identifiers import moment_of

pytestmark = pytest.mark.django_db

NOW = datetime(2031, 11, 30, 23, 59, tzinfo=UTC)


def test_months_ahead_are_made_once_in_every_table() -> None:
    tables = partitions.partitioned_tables()
    assert {"parcels_parcel", "parcels_scan", "slas_commitment", "slas_breach"} <= set(tables)
    count = partitions.ensure_months_ahead(now=NOW, ahead=3)
    # Last month, this month and three more.
    assert count == 5 * len(tables)
    assert partitions.ensure_months_ahead(now=NOW, ahead=3) == 0
    assert partitions.months_ahead(now=NOW) == 3


def test_reach_counts_no_month_beyond_a_gap() -> None:
    this = Month.of(NOW.date())
    partitions.ensure_months(this, this.plus(1))
    partitions.ensure_months(this.plus(3), this.plus(4))
    assert partitions.months_ahead(now=NOW) == 1


def test_reach_is_negative_without_this_month() -> None:
    assert partitions.months_ahead(now=datetime(2044, 1, 1, tzinfo=UTC)) == -1


def test_a_month_is_the_ids_of_its_moments() -> None:
    low, high = Month(2028, 2).id_range
    assert moment_of(low) == datetime(2028, 2, 1, tzinfo=UTC)
    assert moment_of(high) == datetime(2028, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [((2026, 12), 1, (2027, 1)), ((2026, 1), -1, (2025, 12)), ((2026, 3), 30, (2028, 9))],
)
def test_months_add_over_year_ends(start: tuple[int, int], months: int, end: tuple[int, int]) -> None:
    assert Month(*start).plus(months) == Month(*end)
