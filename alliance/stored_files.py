"""Files beside the database: do they match what its rows say, and the other way round?

Uploads (MEDIA_ROOT) and archived months (ARCHIVE_ROOT) are no part of a database's backup. After a restore,
or a copy of folders that was made at another moment, rows name files that are not there, and files are there
that no row names. Apps register which files their rows name.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from alliance.database.slices import ROWS_A_SLICE, in_slices
from alliance.file_names import NameSet, files_under, name_set
from alliance.registry import Registry

# Of uploads under way, which have no row yet.
INCOMING: Final = "incoming"
# Written under this name first (slas.exports.files.replacing).
_UNFINISHED: Final = ".unfinished"
_CHUNK: Final = 1 << 20


def fresh_name(suffix: str) -> str:
    """A name on the disk that no file ever had.

    Results stand beside an upload under its name, and stay when it is deleted. A name that is free again
    would give them to the next upload, perhaps another organisation's: it would write over them, and the
    first one be shown what is not its own.
    """
    return f"{secrets.token_hex(16)}{suffix}"


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
    slice a transaction, and their files' names kept on the disk.
    """
    roots = {name: Path(getattr(settings, name)) for name in ("MEDIA_ROOT", "ARCHIVE_ROOT")}
    with name_set() as named:
        for label, kind in KINDS.items():
            for row in in_slices(kind.rows()):
                files = list(kind.files_of(row))
                named.add(str(roots[kind.root] / file.name) for file in files)
                for file in files:
                    if problem := _problem(roots[kind.root] / file.name, file, contents=contents):
                        yield Difference(problem, roots[kind.root] / file.name, f"{label} {row.pk}")
        for folder in roots.values():
            yield from _unnamed(folder, named, changed_before)


def delete_unnamed(
    folder: str, *, before: datetime, named: Callable[[Sequence[str]], Collection[str]]
) -> int:
    """Delete files of a folder of MEDIA_ROOT that no row names; return how many.

    Files that changed since `before` are left: their rows may not be committed yet. `named` returns which of
    some names are kept; it is asked for a slice at a time.
    """
    root, count = Path(settings.MEDIA_ROOT), 0
    paths = _older(files_under(root / folder), before.timestamp())
    while some := {str(path.relative_to(root)): path for path in islice(paths, ROWS_A_SLICE)}:
        kept = named(list(some))
        for name in some.keys() - set(kept):
            some[name].unlink(missing_ok=True)
            count += 1
    return count


def set_aside(path: Path, folder: Path) -> Path:
    """Move a file without a row out of the product's folders, where cleaning would delete it after a day."""
    roots: Mapping[str, Path] = {"media": Path(settings.MEDIA_ROOT), "archive": Path(settings.ARCHIVE_ROOT)}
    [(name, root)] = [(name, root) for name, root in roots.items() if path.is_relative_to(root)]
    target = folder / name / path.relative_to(root)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.rename(target)


def _older(paths: Iterable[Path], before: float) -> Iterator[Path]:
    for path in paths:
        # It may be deleted meanwhile.
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                yield path


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


def _unnamed(folder: Path, named: NameSet, changed_before: float | None) -> Iterator[Difference]:
    paths = files_under(folder, but=[INCOMING])
    for path in paths if changed_before is None else _older(paths, changed_before):
        if str(path).removesuffix(_UNFINISHED) not in named:
            yield Difference(UNNAMED, path)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
