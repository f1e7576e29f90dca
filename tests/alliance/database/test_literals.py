"""Array literals arrive as the values they were made of."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.database.literals import moments, numbers, texts
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
