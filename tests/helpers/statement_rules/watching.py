"""Judge each statement that the product sends while tests run; what tests send themselves is theirs."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from pglast import parser

from alliance.database.postgresql.messages import Cursor, Settings
from tests.helpers.sources import PACKAGES
from tests.helpers.statement_rules.exceptions import STATEMENTS
from tests.helpers.statement_rules.rules import Fault, faults_of, placed

_ROOT = Path(__file__).parents[3]
# What passes on statements of others.
_CARRIERS = (
    "alliance/database/postgresql/",
    "alliance/database/owner.py",
    # Migrations are judged by tests/test_statement_rules.py.
    "alliance/management/commands/migrate.py",
)
# Django gives each new session its time zone, if the server has another. Workers have it from `distribute`.
_ZONE = "_configure_timezone"
# Who may send what they like.
_OTHERS = ("tests/", "benchmarks/")
_DOOR = "alliance/tenancy.py"

_by_text: dict[str, list[Fault]] = {}
_by_shape: dict[str, list[Fault]] = {}
# What the running test has sent against the rules; product code may swallow the error.
_broken: list[str] = []


def watch() -> None:
    """Have every statement judged from now on."""
    execute = Cursor.execute

    def judged(self: Cursor, query: Any, vars: Any = None) -> None:
        text = query if isinstance(query, str) else query.as_string(self)
        faults = _by_text.get(text)
        if faults is None:
            faults = _by_text[text] = _faults(text, has_values=vars is not None)
        if faults and not isinstance(query, Settings) and (place := _sender(faults)):
            said = "\n".join(f"  {fault}" for fault in faults)
            _broken.append(f"{place} breaks rules of docs/statements.md\n{said}\n{text.strip()}")
            raise AssertionError(_broken[-1])
        execute(self, query, vars)

    Cursor.execute = judged  # type: ignore[method-assign]


def broken() -> Iterator[str]:
    """Take what has been broken since the last call."""
    while _broken:
        yield _broken.pop()


def _faults(text: str, *, has_values: bool) -> list[Fault]:
    # The parser takes nothing but str itself.
    text = str(placed(text) if has_values else text)
    try:
        shape = parser.fingerprint(text)
    except parser.ParseError:
        return []
    if shape not in _by_shape:
        _by_shape[shape] = faults_of(text)
    return _by_shape[shape]


def _sender(faults: list[Fault]) -> str:
    """Return the file and line of the product that sends a statement; nothing for one that may be sent."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        path, function = Path(frame.f_code.co_filename), frame.f_code.co_name
        frame, line = frame.f_back, frame.f_lineno
        if function == _ZONE:
            return ""
        if not path.is_relative_to(_ROOT):
            continue
        name = str(path.relative_to(_ROOT))
        if name == _DOOR and function == "rows_in" and {fault.rule for fault in faults} == {"settings"}:
            return ""
        if name.startswith(_OTHERS):
            return ""
        if name.split("/")[0] in PACKAGES and not name.startswith((*_CARRIERS, _DOOR)):
            return "" if name in STATEMENTS else f"{name}:{line}"
    return ""
