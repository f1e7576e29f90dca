"""Names of files, one at a time: the files of ten million merchants are more than memory should hold."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_CACHE_KB = 32 * 1024


class NameSet:
    """A set of names in a temporary file, of which only a part is in memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, names: Iterable[str]) -> None:
        self._connection.executemany("INSERT OR IGNORE INTO names VALUES (?)", ((name,) for name in names))

    def those_of(self, names: Iterable[str]) -> set[str]:
        """Return those of some names that are in the set."""
        return {name for name in names if name in self}

    def __contains__(self, name: str) -> bool:
        return self._connection.execute("SELECT 1 FROM names WHERE name = ?", (name,)).fetchone() is not None


@contextmanager
def name_set() -> Iterator[NameSet]:
    """Yield an empty set; its file is deleted at the end, or when the process ends."""
    # The empty name: SQLite's own temporary file, in TMPDIR.
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KB}"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")
        connection.execute("BEGIN")
        yield NameSet(connection)


def files_under(folder: Path, *, but: Iterable[str] = ()) -> Iterator[Path]:
    """Yield the files below a folder in no order; without those in folders of its own called `but`.

    Files may be deleted meanwhile, also by the caller.
    """
    for place in _folders(folder, frozenset(but)):
        with suppress(FileNotFoundError), os.scandir(place) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def _folders(folder: Path, but: frozenset[str]) -> Iterator[Path]:
    yield folder
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        # Folders are few: months, and the two letters that random names begin with.
        inner = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        for name in inner:
            if name not in but:
                yield from _folders(folder / name, frozenset())
