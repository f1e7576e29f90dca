"""The columns of CSV files: what they are called in files, and what is wrong with a first line.

Pure. A name counts in any case, width and spelling of spaces; a name of another program is answered with the
column that is probably meant.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Final

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from alliance.csv_cells import read_cell
from alliance.csv_files.refusals import refused
from alliance.texts import plain, shortened

# A column in the file of rows to correct; ignored when that file is uploaded again.
REMARK: Final = "problem"
REMARK_LABEL: Final = "问题"
_CLOSE: Final = 0.8
_SHOWN: Final = 12
_NAME_LENGTH: Final = 30
# What shops' exports put before the name, phone, address or city of a recipient.
_PREFIX: Final = re.compile(
    r"(?:shipping|shipto|ship|deliveryto|delivery|deliver|receiver|recipient|consignee|customer|buyer|to(?!wn|tal)"
    r"|收件人|收件|收货人|收货|收方|客户|买家)(?=.)"
)
# Others put it behind: City (Shipping).
_BEHIND: Final = re.compile(r"^(?P<what>.+)(?P<whose>shipping|delivery|recipient|receiver)$")
_BUYER: Final = re.compile(r"buyer|customer|客户|买家")
_TOLD_APART: Final = re.compile(r" \([0-9]+\)$")
_NUMBERED: Final = re.compile(r"(?<=\D)[0-9]$")


@dataclass(frozen=True)
class FileFormat:
    """A kind of CSV file: its columns, and how many lines a row and a file may have.

    `labels` are other names of columns that are accepted; `meant` are names that other programs use, with the
    columns that they may mean, most probable first: they are told, not read.
    """

    columns: tuple[str, ...]
    required: tuple[str, ...]
    max_lines: int
    labels: Mapping[str, str] = field(default_factory=dict)
    meant: Mapping[str, Sequence[str]] = field(default_factory=dict)
    row_lines: int = 1

    @cached_property
    def by_key(self) -> dict[str, str]:
        names = {name: name for name in (*self.columns, REMARK)}
        return {
            column_key(name): column
            for name, column in {REMARK_LABEL: REMARK, **self.labels, **names}.items()
        }

    def header(self) -> list[str]:
        """The first line of a file for people, in their language."""
        names = {column: label for label, column in self.labels.items()}
        is_chinese = get_language() == "zh-hans"
        return [names.get(column, column) if is_chinese else column for column in self.columns]

    def columns_of(self, cells: Sequence[str]) -> list[str]:
        """Return the columns that a first line names. Raises InvalidInput with everything that is wrong."""
        names = [plain(read_cell(cell)) for cell in cells]
        # Spreadsheets leave trailing commas for deleted columns.
        while names and not names[-1]:
            names.pop()
        if not names:
            raise refused(_("The first line must name the columns, separated by commas."))
        found = [self.by_key.get(column_key(name), "") for name in names]
        unknown = [name for name, column in zip(names, found, strict=True) if not column]
        if unknown:
            raise refused(self._unknown(unknown, found))
        if duplicate := next((name for name in found if found.count(name) > 1), ""):
            raise refused(_("The column %(name)s appears twice.") % {"name": duplicate})
        if missing := self._missing(found):
            raise refused(missing)
        return found

    def knows(self, cells: Sequence[str]) -> int:
        """How many of the cells name a column."""
        return sum(column_key(cell) in self.by_key for cell in cells)

    def suggestions_for(self, names: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
        """Return the column that each name probably means: each column once, and none that is there."""
        left = [column for column in self.columns if column not in taken]
        result: dict[str, str] = {}
        for name in sorted(names, key=self._rank):
            meant = next((column for column in self._candidates(column_key(name)) if column in left), "")
            if meant:
                result[name] = meant
                left.remove(meant)
        return result

    @cached_property
    def _meant(self) -> dict[str, Sequence[str]]:
        return {column_key(name): columns for name, columns in self.meant.items()}

    def _rank(self, name: str) -> tuple[int, int]:
        """Whose a name says it is, then its place in `meant`: of a city and a town the city."""
        key = column_key(name)
        place = {bare: place for place, bare in enumerate(self._meant)}
        return _rank(key), place.get(_bare(key), -1)

    def _candidates(self, key: str) -> list[str]:
        meant, bare = self._meant, _bare(key)
        key = _BEHIND.sub(r"\g<whose>\g<what>", key)
        close = get_close_matches(key, self.by_key, n=1, cutoff=_CLOSE)
        # What names somebody is not what a bare "name" may be as well: the number of an order.
        return [*meant.get(key, ()), *meant.get(bare, ())[:1], *(self.by_key[name] for name in close)]

    def _unknown(self, names: Sequence[str], found: Sequence[str]) -> str:
        """Name the unknown columns with suggestions, and what is missing apart from the suggested ones."""
        meant = self.suggestions_for(names, found)
        sentences = [_no_column(name, meant.get(name, "")) for name in names[:_SHOWN]]
        if (more := len(names) - _SHOWN) > 0:
            text = ngettext("%(more)d more column is unknown.", "%(more)d more columns are unknown.", more)
            sentences.append(text % {"more": more})
        if missing := self._missing([*found, *meant.values()]):
            sentences.append(missing)
        if len(meant) < len(names):
            sentences.append(_("Valid columns: %(known)s.") % {"known": ", ".join(self.columns)})
        return " ".join(sentences)

    def _missing(self, columns: Sequence[str]) -> str:
        missing = [name for name in self.required if name not in columns]
        text = _("The first line must name the columns; missing: %(names)s.")
        return text % {"names": ", ".join(missing)} if missing else ""


def _bare(key: str) -> str:
    """A key without whose it is, and without the number of a line."""
    key = _BEHIND.sub(r"\g<whose>\g<what>", key)
    return _PREFIX.sub("", _NUMBERED.sub("", key), count=1)


def _rank(key: str) -> int:
    """Names that say whose they are go first: beside a "shipping name", a "name" is something else.

    Who buys may send it to somebody else.
    """
    if _BUYER.match(key):
        return 1
    return 0 if _PREFIX.match(key) or _BEHIND.match(key) else 2


def column_key(name: str) -> str:
    """The letters and digits of a column's name without case: `Tracking Number`, tracking-number, 运单号."""
    return "".join(filter(str.isalnum, plain(name).casefold()))


def told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, of which a further one of the same name is numbered: 电话 (2)."""
    counts: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        key = column_key(name)
        count = counts[key] = counts.get(key, 0) + 1
        result.append(f"{name} ({count})" if name and count > 1 else name)
    return tuple(result)


def bare_name(name: str) -> str:
    """A name without the number of told_apart()."""
    return _TOLD_APART.sub("", name)


def _no_column(name: str, suggestion: str) -> str:
    params = {"name": shortened(name, _NAME_LENGTH) or _("(no name)"), "meant": suggestion}
    if suggestion:
        return _("There is no column “%(name)s”. Did you mean %(meant)s?") % params
    return _("There is no column “%(name)s”.") % params
