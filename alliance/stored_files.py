"""Files beside the database: do they match what its rows say, and the other way round?

Uploads (MEDIA_ROOT) and archived months (ARCHIVE_ROOT) are no part of a database's backup. After a restore,
or a copy of folders that was made at another moment, rows name files that are not there, and files are there
that no row names. Apps register which files their rows name.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from alliance.database.slices import in_slices
from alliance.registry import Registry

# Of uploads under way, which have no row yet.
INCOMING: Final = "incoming"
# Written under this name first (slas.exports.files.replacing).
_UNFINISHED: Final = ".unfinished"
_CHUNK: Final = 1 << 20


class Expected(NamedTuple):
    """A file that a row names, by its path under the root."""

    name: str
    # Otherwise it may be there, as when it was about to be deleted.
    is_needed: bool = True
    size: int | None = None
    # A file of results may have more than what is committed; an interrupted slice wrote that.
    may_be_longer: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class FileKind:
    """The files that the rows of one model name."""

    root: str
    rows: Callable[[], "QuerySet[Any]"]
    files_of: Callable[[Any], Iterable[Expected]]


class Difference(NamedTuple):
    """A file that is missing or damaged, with its row; or one that no row names."""

    problem: str
    path: Path
    row: str = ""

    def __str__(self) -> str:
        return f"{self.problem}: {self.path}" + (f" ({self.row})" if self.row else "")


MISSING, DAMAGED, UNNAMED = "missing", "damaged", "without a row"
# Label of the model -> its files.
KINDS: Final[Registry[str, FileKind]] = Registry("kind of files")


def audit_files(*, contents: bool = False, changed_before: float | None = None) -> Iterator[Difference]:
    """Yield every difference between rows and files; changes nothing.

    With `contents`, files whose digest is known are read and compared. Files without a row that changed since
    `changed_before` (seconds of the epoch) are left out: their rows may not be committed yet. Rows are read a
    slice a transaction.
    """
    roots = {name: Path(getattr(settings, name)) for name in ("MEDIA_ROOT", "ARCHIVE_ROOT")}
    named: dict[str, set[str]] = {name: set() for name in roots}
    for label, kind in KINDS.items():
        for row in in_slices(kind.rows()):
            for file in kind.files_of(row):
                named[kind.root].add(file.name)
                if problem := _problem(roots[kind.root] / file.name, file, contents=contents):
                    yield Difference(problem, roots[kind.root] / file.name, f"{label} {row.pk}")
    for root, folder in roots.items():
        for path, changed_at in _walk(folder):
            name = str(path.relative_to(folder)).removesuffix(_UNFINISHED)
            if name not in named[root] and (changed_before is None or changed_at < changed_before):
                yield Difference(UNNAMED, path)


def set_aside(path: Path, folder: Path) -> Path:
    """Move a file without a row out of the product's folders, where cleaning would delete it after a day."""
    roots: Mapping[str, Path] = {"media": Path(settings.MEDIA_ROOT), "archive": Path(settings.ARCHIVE_ROOT)}
    [(name, root)] = [(name, root) for name, root in roots.items() if path.is_relative_to(root)]
    target = folder / name / path.relative_to(root)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.rename(target)


def _problem(path: Path, file: Expected, *, contents: bool) -> str:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return MISSING if file.is_needed else ""
    if not file.is_needed or file.size is None:
        return ""
    if size < file.size or (size > file.size and not file.may_be_longer):
        return f"{DAMAGED}, {size} bytes instead of {file.size}"
    if contents and file.sha256 and _digest(path) != file.sha256:
        return f"{DAMAGED}, another content"
    return ""


def _walk(folder: Path) -> Iterator[tuple[Path, float]]:
    for place, folders, names in os.walk(folder):
        if Path(place) == folder and INCOMING in folders:
            folders.remove(INCOMING)
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            try:
                yield path, path.stat().st_mtime
            except FileNotFoundError:
                # Deleted meanwhile.
                continue


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
