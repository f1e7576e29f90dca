import pytest
from django.utils import translation

from alliance.wording import amount, listed, named, parted, sentences


@pytest.mark.parametrize(
    ("language", "two", "one", "items", "long_items", "said"),
    [
        ("en", "It is late. Nobody came.", "Nobody came.", "Mon, Tue", "1, 2; 3, 4", "Score: 90"),
        ("zh-hans", "It is late.Nobody came.", "Nobody came.", "Mon、Tue", "1, 2；3, 4", "Score：90"),
    ],
)
def test_texts_are_put_together_as_the_language_does(
    language: str, two: str, one: str, items: str, long_items: str, said: str
) -> None:
    with translation.override(language):
        assert sentences("It is late.", "Nobody came.") == two
        assert sentences("", "Nobody came.", "") == one
        assert sentences() == ""
        assert listed(["Mon", "Tue"]) == items
        assert parted(["1, 2", "3, 4"]) == long_items
        assert named("Score", 90) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0.00", "0.00"), ("999.99", "999.99"), ("1234.50", "1,234.50"), ("-1234567.05", "-1,234,567.05")],
)
def test_amounts_are_grouped(value: str, shown: str) -> None:
    assert amount(value) == shown
