"""Lists of the portal: sorted as the reader chose, in cursor pages, with links to the neighbour pages."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import pgettext_lazy

from alliance.cursor_seals import Seal
from alliance.cursors import Order, Place, Stretch, number, page_at, place_text
from alliance.tenancy import in_index_order
from alliance.web.requests import ActorRequest

Row = TypeVar("Row")
SORT: Final = "sort"
# The parameter of a list without any filter, also where a view is the default.
EVERYTHING: Final = "all"
CURSORS: Final = ("after", "before")
UPLOADED: Final = pgettext_lazy("time", "Uploaded")
NO_FILTERS: Final[Mapping[str, list[str]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sort:
    """A column that a list can be sorted by, both ways; `order` gives its greatest values first.

    Only columns that an index gives in order, or of lists that stay short (decision 167). Without an order,
    it is the list's own, which is no column's and has one direction.
    """

    label: str | Promise
    order: Order | None = None
    # What the first click on the header gives: texts from A to Z, times and amounts from the greatest.
    ascends_first: bool = False


@dataclass(frozen=True, slots=True)
class SortLink:
    """A column's header: the URL that sorts by it, or turns its order round."""

    name: str
    label: str | Promise
    url: str
    # As in aria-sort: "ascending", "descending", "other" (the list's own order) or "none".
    state: str


@dataclass(frozen=True)
class Asked:
    """What a reader asked of a list: its sort, its place and its filters."""

    listing: "Listing"
    seal: Seal
    filters: Mapping[str, list[str]]
    column: str
    ascending: bool
    after: str
    before: str
    # The sort or the cursor is not of this list.
    is_refused: bool

    @property
    def order(self) -> Order:
        order = self.listing.sorts[self.column].order
        if order is None:
            raise LookupError(self.column)
        return order.reversed() if self.ascending else order

    @property
    def sort(self) -> str:
        """The sort as in URLs; "" for the list's own."""
        sort = _sort_text(self.column, ascending=self.ascending)
        return "" if sort == self.listing.default else sort

    @property
    def way_out(self) -> str:
        """The URL of the start of the list, for a page that has no rows."""
        return self.url()

    @cached_property
    def sort_links(self) -> dict[str, SortLink]:
        return {name: self._sort_link(name, sort) for name, sort in self.listing.sorts.items()}

    @property
    def sorted_by(self) -> SortLink:
        return self.sort_links[self.column]

    def url(self, **more: str) -> str:
        """Return the URL of the list with its filters and sort; empty parameters are left out."""
        sort = {SORT: self.sort} if self.sort else {}
        more = {name: value for name, value in more.items() if value}
        return self._address({**sort, **more})

    def filtered_url(self, **filters: str | list[str]) -> str:
        """Return the URL of the list with other values of some filters; an empty one is taken off."""
        given = {name: value if isinstance(value, list) else [value] for name, value in filters.items()}
        changed = {**self.filters, **given}
        kept = {name: values for name, values in changed.items() if any(values)}
        return replace(self, filters=kept).url()

    def place_url(self, side: str, place: str) -> str:
        """Return the URL of a neighbour page; "" at an end of the list."""
        return self.url(**{side: self.seal.close(place)}) if place else ""

    def in_order(self, rows: Iterable[Row]) -> list[Row]:
        """Sort the rows of a list that is read whole; empty values come as the least."""
        order = self.order
        return sorted(rows, key=lambda row: [*map(_key, order.place_of(row))], reverse=not order.ascending)

    def _sort_link(self, name: str, sort: Sort) -> SortLink:
        is_current = name == self.column
        ascending = sort.order is None or (not self.ascending if is_current else sort.ascends_first)
        text = _sort_text(name, ascending=ascending)
        chosen = {} if text == self.listing.default else {SORT: text}
        state = "none"
        if is_current:
            state = "other" if sort.order is None else "ascending" if self.ascending else "descending"
        return SortLink(name, sort.label, self._address(chosen), state)

    def _address(self, more: Mapping[str, str]) -> str:
        params = {**self.filters, **more}
        # Without any parameter, a list opens with the user's default view.
        if self.listing.has_views and not params:
            params = {EVERYTHING: "1"}
        return f"?{urlencode(params, doseq=True)}"


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of a page, with what its template shows of the list around it."""

    rows: list[Any]
    asked: Asked
    newer: str = ""
    older: str = ""
    is_past_end: bool = False

    @property
    def context(self) -> dict[str, Any]:
        """The URLs of the neighbour pages, of the start of a list that has no more rows, and the sort."""
        return {
            "next_url": self.asked.place_url("after", self.older),
            "previous_url": self.asked.place_url("before", self.newer),
            "newest_url": self.asked.way_out if self.is_past_end or self.asked.is_refused else "",
            "sorting": self.asked,
        }

    @property
    def status(self) -> int:
        """The HTTP status, as of all invalid forms and filters."""
        return 422 if self.asked.is_refused else 200


class Narrow(Protocol):
    """Leaves out of a list what is not among so many first rows."""

    def __call__(self, rows: QuerySet[Any], *, most: int) -> QuerySet[Any]: ...


def _as_it_is(rows: QuerySet[Any], *, most: int) -> QuerySet[Any]:
    return rows


@dataclass(frozen=True)
class Listing:
    """A list, and its sorts by their names in URLs; the first one is the default."""

    name: str
    sorts: Mapping[str, Sort]
    # Users save its filters as views: see alliance.portal.view_lists.
    has_views: bool = False
    default: str = field(init=False)

    def __post_init__(self) -> None:
        name, sort = next(iter(self.sorts.items()))
        ascending = sort.order is None or sort.ascends_first
        object.__setattr__(self, "default", _sort_text(name, ascending=ascending))

    def asked(self, request: ActorRequest, filters: Mapping[str, list[str]] = NO_FILTERS) -> Asked:
        """Return what a request asks of the list, whose parameters the filters are."""
        sort = request.GET.get(SORT, "") or self.default
        column, ascending = sort.removeprefix("-"), not sort.startswith("-")
        is_known = column in self.sorts and (ascending or self.sorts[column].order is not None)
        if not is_known:
            column, ascending = self.default.removeprefix("-"), not self.default.startswith("-")
        text = _sort_text(column, ascending=ascending)
        seal = Seal.of(request.actor, self.name, filters, text)
        sealed = {side: request.GET.get(side, "") for side in CURSORS}
        places = {side: seal.open(text) if text else "" for side, text in sealed.items()}
        return Asked(
            listing=self,
            seal=seal,
            filters=filters,
            column=column,
            ascending=ascending,
            after=places["after"] or "",
            before=places["before"] or "",
            is_refused=not is_known or None in places.values(),
        )

    def page(
        self,
        rows: QuerySet[Any],
        asked: Asked,
        *,
        size: int,
        complete: Callable[[Iterable[Any]], list[Any]] = list,
        narrow: Narrow = _as_it_is,
    ) -> Page:
        """Return the page that was asked for; none for a cursor or a sort of another list.

        `complete` is called with the rows of the page, to read what belongs to them; `narrow` before, as
        reading a cluster's list may begin with where its first rows are.
        """
        order = asked.order
        newer_than = order.read(asked.before) if asked.before else None
        older_than = order.read(asked.after) if asked.after and newer_than is None else None
        if asked.is_refused:
            return Page([], asked)

        def look(*, older_than: Place | None = None, newer_than: Place | None = None) -> Stretch[Any]:
            side = order.older(rows, older_than) if newer_than is None else order.newer(rows, newer_than)
            return Stretch(complete(narrow(side, most=size + 1)[: size + 1]))

        # Because of the policies and joins, the planner would otherwise sort the whole table for each page.
        with in_index_order():
            page = page_at(look, order.place_of, older_than=older_than, newer_than=newer_than, size=size)
        return Page(page.rows, asked, place_text(page.newer), place_text(page.older), page.is_past_end)


def newest_first(name: str, label: str | Promise = UPLOADED, *, led_by: tuple[str, ...] = ()) -> Listing:
    """Return a list of what was made one after the other, by its id."""
    return Listing(name, {"time": Sort(label, Order((("pk", number),), led_by=led_by))})


def _key(value: Any) -> tuple[bool, Any]:
    return value is not None, value.casefold() if isinstance(value, str) else value


def _sort_text(column: str, *, ascending: bool) -> str:
    return column if ascending else f"-{column}"
