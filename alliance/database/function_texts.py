"""The text that defines a stored function."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# What is no identifier comes first: texts, quoted names, comments.
_TOKENS = re.compile(
    r"""
    [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/
    | (?P<name>[^\W\d][\w$]*)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class FunctionText:
    """A PL/pgSQL function but for its name; the body refers to parameters by position."""

    parameters: tuple[str, ...]
    returns: str
    body: str
    is_stable: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def definition(self) -> str:
        settings = " ".join(f"SET {name} = '{value}'" for name, value in self.settings.items())
        stability = " STABLE" if self.is_stable else ""
        return f"""({", ".join(self.parameters)}) RETURNS {self.returns}
            LANGUAGE plpgsql{stability} {settings} AS $statement${self.source}$statement$"""

    @property
    def source(self) -> str:
        """The text of the body as the server keeps it."""
        return f"""
            #variable_conflict use_column
            {self.body}
            """

    @property
    def digest(self) -> str:
        """The MD5 of what the server keeps, as it works it out itself."""
        return hashlib.md5(self.source.encode(), usedforsecurity=False).hexdigest()


def names_in(sql: str) -> Iterator[str]:
    """Yield the identifiers of a text, not what stands in quotes or comments."""
    return (match["name"] for match in _TOKENS.finditer(sql) if match["name"])


def renamed(sql: str, names: Mapping[str, str]) -> str:
    """Return a text with other names of tables: whole identifiers only."""
    return _TOKENS.sub(lambda match: names.get(match["name"] or "", match[0]), sql)
