"""Tables of the kernel that every app adds its own entries to."""

from collections.abc import Mapping
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

K = TypeVar("K")
V = TypeVar("V")


class Registry(dict[K, V]):
    """Entries by name. An app registers its own in `AppConfig.ready`; each name is taken once.

    `kind` says what an entry is, for the error.
    """

    def __init__(self, kind: str, entries: Mapping[K, V] | None = None) -> None:
        super().__init__(entries or {})
        self.kind = kind

    def register(self, entries: Mapping[K, V]) -> None:
        """Add entries. Raises ImproperlyConfigured and adds none when one of the names is taken."""
        if taken := self.keys() & entries.keys():
            names = ", ".join(sorted(str(name) for name in taken))
            raise ImproperlyConfigured(f"There is a {self.kind} of this name already: {names}.")
        self.update(entries)
