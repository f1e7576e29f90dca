"""Pages of parcels for programs: the portal's own, under cursors as all lists have them."""

from typing import Any

from rest_framework.pagination import Cursor
from rest_framework.request import Request

from alliance.api.pagination import CursorPagination
from parcels.lists.filters import ParcelFilter
from parcels.lists.pages import Page, page_of
from parcels.models import Parcel


class ParcelPagination(CursorPagination):
    """Cursors whose position is a parcel's id."""

    model = Parcel
    # As DRF keeps it once it has read it.
    ordering: Any = ("-id",)
    found: Page

    def page_of(self, found: ParcelFilter, request: Request) -> list[Any]:
        """Return the page that was asked for. Raises InvalidInput for what is no cursor or size of ours."""
        self.base_url = request.build_absolute_uri()
        size = self.get_page_size(request)
        cursor = self.decode_cursor(request)
        place = int(cursor.position) if cursor is not None and cursor.position else None
        is_back = cursor is not None and cursor.reverse
        self.found = page_of(
            found,
            older_than=None if is_back else place,
            newer_than=place if is_back else None,
            is_exact=True,
            size=size,
        )
        return self.found.parcels

    def get_next_link(self) -> str | None:
        return self._link(self.found.older, is_back=False)

    def get_previous_link(self) -> str | None:
        return self._link(self.found.newer, is_back=True)

    def _link(self, place: int | None, *, is_back: bool) -> str | None:
        if place is None:
            return None
        link: str = self.encode_cursor(Cursor(offset=0, reverse=is_back, position=str(place)))  # type: ignore[arg-type]
        return link
