"""Threads that write side by side."""

import pytest
from django.utils import translation

from parcels.history.writers import Writers


@pytest.mark.parametrize("count", [1, 2])
def test_work_is_done_in_the_language_it_was_given_in(count: int) -> None:
    with Writers[str | None](count) as writers:
        for language in ("zh-hans", "en"):
            with translation.override(language):
                writers.submit(0, translation.get_language)
        assert list(writers.last_results()) == ["zh-hans", "en"]
