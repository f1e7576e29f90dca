"""Cursor pages of portal lists, with the links to their neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.http import urlencode

from alliance.cursors import Order, Place, Stretch, number, page_at, place_text
from alliance.tenancy import in_index_order


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of a page, newest first, and the places of its neighbours; "" at an end of the list."""

    rows: list[Any]
    newer: str = ""
    older: str = ""
    is_past_end: bool = False

    def links(self, filters: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Return the URLs of the neighbour pages for the pager; `filters` are the list's parameters.

        Past the end of the list, the URL of its newest page.
        """
        places = {"next_url": ("after", self.older), "previous_url": ("before", self.newer)}
        links = {
            name: f"?{urlencode({**(filters or {}), side: place})}" if place else ""
            for name, (side, place) in places.items()
        }
        return {**links, "newest_url": f"?{urlencode(filters or {})}" if self.is_past_end else ""}


@dataclass(frozen=True, slots=True)
class Listing(Order):
    """An order whose places are texts in URLs."""

    def page(self, rows: QuerySet[Any], *, after: str, before: str, size: int) -> Page:
        """Return the page after or before a place; for an invalid place, the newest page."""

        def look(*, older_than: Place | None = None, newer_than: Place | None = None) -> Stretch[Any]:
            side = self.older(rows, older_than) if newer_than is None else self.newer(rows, newer_than)
            return Stretch(list(side[: size + 1]))

        newer_than = self.read(before)
        older_than = self.read(after) if newer_than is None else None
        # Because of the policies and joins, the planner would otherwise sort the whole table for each page.
        with in_index_order():
            page = page_at(look, self.place_of, older_than=older_than, newer_than=newer_than, size=size)
        return Page(page.rows, place_text(page.newer), place_text(page.older), page.is_past_end)


# For lists ordered by their id.
NEWEST_FIRST = Listing((("pk", number),))
