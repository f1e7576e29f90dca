"""Fixtures of the tests of freight."""

import pytest
from django.utils import timezone

from tests.slas.helpers.commitments import HOUR, NOON


@pytest.fixture
def in_its_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the month of NOON be the current one: at night it may be over where months begin."""
    monkeypatch.setattr(timezone, "now", lambda: NOON + HOUR)
