"""Array literals arrive as the values they were made of."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.database.literals import moments, numbers, texts, written
from alliance.tenancy import raw_rows

# What a column can hold: no NUL, no half of a surrogate pair.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@pytest.mark.django_db
def test_texts_of_any_content_arrive() -> None:
    @given(st.lists(TEXT | st.sampled_from(["", "NULL", "null", '"', "\\", "{}", "a,b", " x ", "%s", "'"])))
    def arrive(values: list[str]) -> None:
        assert raw_rows("SELECT %s::text[]", [texts(values)]) == [(values,)]

    arrive()


@pytest.mark.django_db
def test_numbers_and_moments_arrive() -> None:
    values = [0, -1, None, 2**63 - 1]
    assert raw_rows("SELECT %s::bigint[]", [numbers(values)]) == [(values,)]
    china = timezone(timedelta(hours=8))
    times = [datetime(2026, 11, 22, 10, 5, 1, 123456, china), datetime(2016, 1, 1, tzinfo=UTC)]
    assert raw_rows("SELECT %s::timestamptz[]", [moments(times)]) == [(times,)]
    days = [date(2026, 11, 22), date(2016, 1, 1)]
    assert raw_rows("SELECT %s::date[]", [moments(days)]) == [(days,)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value", [0, 7, 2**63 - 1, "", "parcel:12", "same_day", "O'Neill", "\\", "100 %", "%s", -3, 1.5, None]
)
def test_parameters_arrive_whether_written_by_us_or_by_the_driver(value: object) -> None:
    assert raw_rows("SELECT %s, '%%'", [value]) == [(value, "%")]
    assert raw_rows("SELECT %(value)s, '%%'", {"value": value}) == [(value, "%")]


def test_only_whole_numbers_and_plain_words_are_written() -> None:
    assert written("SELECT %s, %s", [12, "key:a1"]) == "SELECT 12, 'key:a1'"
    for value in ("it's", "a\\b", "a b", "号", "a\n", -1, True, None, 1.5):
        assert written("SELECT %s", [value]) is None
        assert written("SELECT %(value)s", {"value": value}) is None
