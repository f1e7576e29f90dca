"""The watch over the workers of a cluster goes on whatever Citus says, until it has no right to."""

import pytest
from django.db import InternalError, OperationalError, ProgrammingError

from alliance.database import fencing


def test_watch_goes_on_after_errors_and_ends_without_the_right_to_fence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors = [InternalError("of Citus"), OperationalError("away"), ProgrammingError("permission denied")]

    def look(_self: fencing.Watch) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(fencing, "LOOK_AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(fencing, "is_distributed", lambda: True)
    monkeypatch.setattr(fencing.connection, "close", lambda: None)
    monkeypatch.setattr(fencing.Watch, "look", look)
    fencing.keep_watch()
    assert errors == []
