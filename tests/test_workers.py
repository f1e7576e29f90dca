"""What running the tests side by side rests on."""

from pathlib import Path

import pytest
from django.db import connection

from tests.conftest import REFERENCE_TABLES
from tests.helpers import workers


def test_files_named_for_workers_are_there() -> None:
    folder = Path(__file__).parent
    assert [place for place in (*workers.ALONE, *workers.APART) if not (folder / place).exists()] == []


@pytest.mark.parametrize(
    ("test", "unit"),
    [
        ("tests/browser/test_story.py::test_it[chromium]", "alone"),
        ("tests/alliance/test_up.py::test_it", "alone"),
        ("tests/slas/rates/test_rates.py::TestIt::test_it[a::b]", "slas/rates/test_rates.py"),
        ("tests/access/test_access.py::test_it[GET home]", "tests/access/test_access.py::test_it[GET home]"),
    ],
)
def test_a_file_is_one_workers(test: str, unit: str) -> None:
    assert workers.unit_of(test) == unit


@pytest.mark.django_db
def test_no_reference_table_points_at_one_that_is_emptied() -> None:
    """Emptying a table empties those that point at it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, confrelid::regclass::text"
            " FROM pg_constraint WHERE contype = 'f'"
        )
        found = [(table, other) for table, other in cursor.fetchall() if table in REFERENCE_TABLES]
    assert found
    assert [pair for pair in found if pair[1] not in REFERENCE_TABLES] == []
