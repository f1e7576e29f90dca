"""The stored statements written out whole, in tests/stored_statements: a diff there shows what a change does.

`python -m tests.helpers.statement_texts` writes them anew.
"""

import os
import re
from pathlib import Path

from alliance.database.stored_functions import STATEMENTS, StoredStatement

FOLDER = Path(__file__).parents[1] / "stored_statements"
LONGEST = 110
PARTS = re.compile(r"(?<=[,;]) | (?=(?:AND|OR|WHEN|ELSE|FROM)\b)")


def written_out() -> dict[str, str]:
    """What each file should say, by its name; Django must be set up."""
    return {f"{statement.prefix}.sql": _written_out(statement) for statement in STATEMENTS}


def _written_out(statement: StoredStatement) -> str:
    head = [
        f"-- {statement.prefix}, {'stable' if statement.is_stable else 'volatile'}",
        *(f"-- takes {name} {kind}" for name, kind in statement.parameters.items()),
        *(f"-- returns {name} {kind}" for name, kind in statement.returns.items()),
    ]
    return "".join(_broken(line) for line in [*head, *statement.body.splitlines()])


def _broken(line: str) -> str:
    """A line as it is, a long one with a part a line: so a diff shows where a long list differs."""
    margin = line[: len(line) - len(line.lstrip())]
    parts = PARTS.split(line.strip()) if len(line) > LONGEST else [line.strip()]
    return f"\n{margin}    ".join([margin + parts[0], *parts[1:]]).rstrip() + "\n"


def write() -> None:
    for path in FOLDER.iterdir():
        path.unlink()
    for name, text in written_out().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    django.setup()
    write()
