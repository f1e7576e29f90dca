"""Registries of the kernel, to which apps add their own entries."""

from collections.abc import Mapping
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

K = TypeVar("K")
V = TypeVar("V")


class Registry(dict[K, V]):
    """Entries by name. Apps register their own in `AppConfig.ready`; each name only once.

    `kind` names an entry in errors.
    """

    def __init__(self, kind: str, entries: Mapping[K, V] | None = None) -> None:
        super().__init__(entries or {})
        self.kind = kind

    def register(self, entries: Mapping[K, V]) -> None:
        """Add entries. Raises ImproperlyConfigured, and adds none, if one of the names exists."""
        if duplicates := self.keys() & entries.keys():
            names = ", ".join(sorted(str(name) for name in duplicates))
            raise ImproperlyConfigured(f"There is a {self.kind} of this name already: {names}.")
        self.update(entries)
