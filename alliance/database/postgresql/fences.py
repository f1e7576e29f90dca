"""What a process knows of workers of its cluster that are fenced off; see alliance/database/fencing.py.

A session of the coordinator that has a connection to such a worker since before may wait there without end.
"""

import time
from typing import Final, Protocol

# In place of a worker's address: nothing listens there, so whoever needs the worker is refused at once.
NOWHERE: Final = "host=127.0.0.1 port=1"
# Those that there are, on a coordinator.
_FENCES: Final = f"""coalesce(
    (SELECT string_agg(nodeid || ' ' || xmin, ',' ORDER BY nodeid) FROM pg_dist_poolinfo
        WHERE poolinfo = '{NOWHERE}'),
    ''
)"""  # noqa: S608 -- a constant
FENCES: Final = f"SELECT {_FENCES}"
# Whether the server can be written to; and of a coordinator, which fences there are.
IS_READ_ONLY: Final = "SHOW transaction_read_only"
IS_READ_ONLY_AND_FENCES: Final = f"SELECT current_setting('transaction_read_only'), {_FENCES}"


class _Opened(Protocol):
    is_distributed: bool
    opened_at: float


class Fences:
    """The fences that this process has seen last, and since when."""

    def __init__(self) -> None:
        self._seen: str | None = None
        self._seen_at = float("-inf")

    @property
    def are_known(self) -> bool:
        return self._seen is not None

    def note_first(self, fences: str) -> None:
        """Note those that are older than all connections of this process: none of these can hang."""
        self._seen = fences

    def note(self, fences: str | None) -> None:
        """Note which fences there are, or that nobody has told."""
        if fences is not None and fences != self._seen:
            self._seen = fences
            # One that was taken away is of no concern any more.
            self._seen_at = time.monotonic() if fences else float("-inf")

    def may_hang(self, connection: _Opened | None) -> bool:
        """Tell whether a connection is older than a fence: its session may wait for that worker."""
        if connection is None or not connection.is_distributed:
            return False
        return connection.opened_at < self._seen_at
