"""What the web processes of one machine tell each other: whose long calls wait and run, and when a read came.

A gate counts the calls of its own process only, but all processes share the machine and the database. The
board is memory that they share from their birth, as this module is imported before they are forked. Each
writes to a row of its own, so nobody waits for a lock; what it reads may be a moment old.
"""

import mmap
import time
import zlib
from typing import Final

# Rows of processes, and entries of calls in each.
_ROWS, _ENTRIES = 64, 16
_MANY: Final = _ROWS * _ENTRIES
# Seconds after a light call in which others are thought to be calling.
OTHERS_SECONDS = 5.0
# Seconds after which an entry is ignored: its process hangs, as no call waits or runs for so long.
STALE_SECONDS = 30.0


class Board:
    """An entry is a place in two columns: whose call it is, and whether it runs; and since when."""

    def __init__(self) -> None:
        cells = memoryview(mmap.mmap(-1, 8 * (1 + 2 * _MANY))).cast("q")
        self._light_at, self._calls, self._since = cells[:1], cells[1 : 1 + _MANY], cells[1 + _MANY :]
        self._row = 0

    def take_row(self, worker: int) -> None:
        """Have this process write to the row of its worker, which nobody else has."""
        self._row = worker % _ROWS
        self.clear(worker)

    def clear(self, worker: int) -> None:
        """Remove the calls of a worker, which has just begun or has ended."""
        for entry in self._entries_of(worker % _ROWS):
            self._calls[entry] = 0

    def note_light_call(self) -> None:
        self._light_at[0] = time.monotonic_ns()

    def enter(self, tenant: str) -> int | None:
        """Note that a call waits; return its entry, None if there is no room. Not for two threads at once."""
        for entry in self._entries_of(self._row):
            if not self._calls[entry]:
                self._since[entry] = time.monotonic_ns()
                # Never zero, and even.
                self._calls[entry] = zlib.crc32(tenant.encode()) + 1 << 1
                return entry
        return None

    def begin(self, entry: int) -> None:
        """Note that a call runs."""
        self._since[entry] = time.monotonic_ns()
        self._calls[entry] |= 1

    def leave(self, entry: int) -> None:
        self._calls[entry] = 0

    def may_begin(self, entry: int, most: int) -> bool:
        """Tell whether a waiting call may run: of its tenant, `most` run at a time while others call."""
        now = time.monotonic_ns()
        if now - self._light_at[0] > OTHERS_SECONDS * 1e9:
            return True
        tenant, mine = self._calls[entry], (self._since[entry], entry)
        fresh, since = now - STALE_SECONDS * 1e9, self._since
        before = [
            other
            for other, call in enumerate(self._calls.tolist())
            # One that runs, or that has waited for longer.
            if call and (call == tenant | 1 or (call == tenant and (since[other], other) < mine))
        ]
        return sum(since[other] > fresh for other in before) < most

    @staticmethod
    def _entries_of(row: int) -> range:
        return range(row * _ENTRIES, (row + 1) * _ENTRIES)


BOARD: Final = Board()
