"""Pages of a list by cursor, with the links that lead from one to the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.http import urlencode

from alliance.cursors import Order, Place, Stretch, number, page_at, written
from alliance.tenancy import in_index_order


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and the places to go on from; "" is an end."""

    rows: list[Any]
    newer: str = ""
    older: str = ""

    def links(self, asked: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Addresses of the pages on both sides, for the pager; `asked` is what the list is narrowed by."""
        places = {"next_url": ("after", self.older), "previous_url": ("before", self.newer)}
        return {
            name: f"?{urlencode({**(asked or {}), side: place})}" if place else ""
            for name, (side, place) in places.items()
        }


@dataclass(frozen=True, slots=True)
class Listing(Order):
    """An order whose places are texts in addresses."""

    def page(self, found: QuerySet[Any], *, after: str, before: str, size: int) -> Page:
        """Return the page behind a place, or before one; for places that are none, the newest."""

        def look(*, older_than: Place | None = None, newer_than: Place | None = None) -> Stretch[Any]:
            side = self.older(found, older_than) if newer_than is None else self.newer(found, newer_than)
            return Stretch(list(side[: size + 1]))

        newer_than = self.read(before)
        older_than = self.read(after) if newer_than is None else None
        # Left alone, policies and joined names make the planner sort all there is for each page.
        with in_index_order():
            page = page_at(look, self.place_of, older_than=older_than, newer_than=newer_than, size=size)
        return Page(page.rows, newer=written(page.newer), older=written(page.older))


# Of lists whose rows are numbered as they come.
NEWEST_FIRST = Listing((("pk", number),))
