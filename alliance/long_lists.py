"""Admin lists of tables that grow without limit: by cursor, not counted, not sorted, with a time limit."""

import re
from collections.abc import Mapping
from contextlib import nullcontext
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import Field, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from psycopg2.errors import QueryCanceled
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from alliance import names
from alliance.cursors import Place, place_text
from alliance.database.postgresql.messages import Settings
from alliance.tenancy import in_index_order

# The rows after a place of the list, and those before it.
AFTER, BEFORE = "after", "before"
# In the address of a row's page, beside its id: on a cluster it says on which worker the row is.
PARCEL = "parcel"
# Pages of a picker use OFFSET, so a deep one reads all rows above it.
_MOST_PAGES: Final = 20
# A filter with few matches scans the whole list: it is given up after this time.
PATIENCE_SECONDS: Final = 10


class UncountedPaginator(InfinitePaginator):
    """Next and previous links."""

    template_name = "admin/alliance/neighbours.html"

    @property
    def count(self) -> int:
        return _MOST_PAGES * int(self.per_page)


class Uncounted(int):
    """More rows than a page shows. "Select all 51" would be false, "Select all matching" is not."""

    def __str__(self) -> str:
        return _("matching")


class OneOrderList(ChangeList):
    """A list in the order of its index, whatever column the URL asks for, read by cursor."""

    next_url = previous_url = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        # Places are no filters, and no link to another list of this admin keeps them.
        for name in (AFTER, BEFORE):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return rows

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        self.params.pop(ORDER_VAR, None)
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering

    def url_for_result(self, result: Any) -> str:
        url: str = super().url_for_result(result)
        is_by_id = self.opts.pk.name == "id" and hasattr(result, "parcel_id")
        return f"{url}?{PARCEL}={result.parcel_id}" if is_by_id else url

    def get_results(self, request: HttpRequest) -> None:
        """Read a page, and one row more to know whether there is another."""
        size, order = self.list_per_page, [*dict.fromkeys(self.queryset.query.order_by)]
        try:
            before, after = (self._place(order, request.GET.get(name, "")) for name in (BEFORE, AFTER))
        except IncorrectLookupParameters:
            messages.warning(
                request, _("The address had no valid place in this list: it begins at its start.")
            )
            raise
        backwards, place = before is not None, before or after
        if backwards:
            order = [name.removeprefix("-") if name.startswith("-") else f"-{name}" for name in order]
        rows = self.queryset.order_by(*order)
        page = list((rows if place is None else rows.filter(_beyond(order, place)))[: size + 1])
        # Where a search by name has stopped looking.
        ended = getattr(request, "names_end", None)
        further: Place | None = None if ended is None else (ended,)
        if len(page) > size:
            further = self._place_of(order, page[size - 1])
        page = page[:size][::-1] if backwards else page[:size]
        start = self._place_of(order, page[0]) if page else None
        last = self._place_of(order, page[-1]) if page else None
        self._link(AFTER, last if backwards else further)
        self._link(BEFORE, further if backwards else start if place else None)
        self.result_list = page
        self.paginator = self.model_admin.get_paginator(request, page, size)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        # There is no count: what is shown is all that the page may speak of, or select.
        more = self.model_admin.acts_across and len(page) == size
        self.result_count = self.full_result_count = Uncounted(len(page) + 1) if more else len(page)

    def _link(self, side: str, place: Place | None) -> None:
        if place is not None:
            url = self.get_query_string({side: place_text(place)})
            setattr(self, "next_url" if side == AFTER else "previous_url", url)

    def _place(self, order: list[str], text: str) -> Place | None:
        """Parse a place of the list; None for none."""
        if not text:
            return None
        parts, fields = text.split("|"), [self._field(name) for name in order]
        try:
            return tuple(field.to_python(part) for field, part in zip(fields, parts, strict=True))
        except (ValidationError, ValueError) as error:
            raise IncorrectLookupParameters from error

    def _field(self, name: str) -> "Field[Any, Any]":
        name = name.removeprefix("-")
        field: Field[Any, Any] = self.opts.pk if name == "pk" else self.opts.get_field(name)
        return field

    def _place_of(self, order: list[str], row: Any) -> Place:
        return tuple(getattr(row, self._field(name).attname) for name in order)


def _beyond(order: list[str], place: Place) -> Q:
    """Return the condition of the rows after a place."""
    beyond, same = Q(), Q()
    for name, value in zip(order, place, strict=True):
        column, step = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
        beyond |= same & Q(**{f"{column}__{step}": value})
        same &= Q(**{column: value})
    first, step = order[0].removeprefix("-"), "lte" if order[0].startswith("-") else "gte"
    # The first condition is a range of the index; the others compare rows with equal values.
    return beyond if len(order) == 1 else Q(**{f"{first}__{step}": place[0]}) & beyond


class LongListMixin:
    """Lets the list of an admin be of a table of any size."""

    paginator = UncountedPaginator
    sortable_by = ()
    # "Show counts" would run a count of the table for each filter.
    show_facets = ShowFacets.NEVER
    # Whether its actions may take all rows of a filtered list. They limit how many.
    acts_across = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OneOrderList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        parcel_id = parcel_asked(request)
        if parcel_id is None:
            return super().get_object(request, object_id, from_field)  # type: ignore[misc]
        rows = self.get_queryset(request).filter(parcel_id=parcel_id)  # type: ignore[attr-defined]
        return rows.filter(pk=object_id).first() if object_id.isdecimal() else None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or redirect to it without the filters when the filtered query takes too long."""
        if request.method != "GET":
            return self._list(request if self.acts_across else _of_ticked_rows(request), extra_context)
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(Settings("SET LOCAL statement_timeout = %s"), [f"{PATIENCE_SECONDS}s"])
                # The results of a search may be sorted. The whole list must not be, though the joined names
                # and the policies make the planner choose a sort.
                with nullcontext() if request.GET.get(SEARCH_VAR) else in_index_order():
                    return self._list(request, extra_context)
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled) or not request.GET:
                raise
        messages.warning(
            request, _("Too few entries match these filters to find them quickly. Use the search instead.")
        )
        return HttpResponseRedirect(request.path)

    def _list(self, request: HttpRequest, extra_context: dict[str, Any] | None) -> HttpResponse:
        response: Any = super().changelist_view(request, extra_context)  # type: ignore[misc]
        # The query runs while the template is rendered.
        return response.render() if hasattr(response, "render") else response


def parcel_asked(request: HttpRequest) -> int | None:
    """Return the parcel that the address of a row's page names; None for any other text."""
    text = request.GET.get(PARCEL, "")
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}|[0-9]{19}", text) else None


def _of_ticked_rows(request: HttpRequest) -> HttpRequest:
    """Leave actions the ticked rows alone: the list offers no others, and all of them have no limit."""
    if "select_across" in request.POST:
        data = request.POST.copy()
        data["select_across"] = "0"
        request.POST = data  # type: ignore[assignment]
    return request


class NamedListMixin(LongListMixin):
    """A long list in the order of its keys, searched by any part of the names of its rows.

    A filter by what is common leaves out few rows, and a page may be a little short. By what
    is `rare`, the names of all its rows are compared.
    """

    # Parameters of filters with the values that few rows have, by an index of their own.
    rare: Mapping[str, str] = MappingProxyType({})
    # The columns with names that are compared then.
    name_columns: tuple[str, ...] = ()

    ordering = ("-pk",)
    # The field is not searched: it only makes the admin show the box.
    search_fields = ("pk",)

    def named(self, text: str, *, beyond: int | None, upwards: bool, most: int) -> list[int]:
        """Return the keys of rows with the text in their name, as the functions of `alliance.names` do."""
        raise NotImplementedError

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        if any(request.GET.get(name, "") in values.split() for name, values in self.rare.items()):
            term = names.term_of(search_term)
            named = [Q(**{f"{column}__icontains": term}) for column in self.name_columns]
            return queryset.filter(reduce(or_, named)), False
        upwards = bool(request.GET.get(BEFORE))
        place = request.GET.get(BEFORE) or request.GET.get(AFTER) or ""
        beyond = int(place) if place.isdecimal() and len(place) < 19 else None
        most = self.list_per_page + 1  # type: ignore[attr-defined]
        found = self.named(search_term, beyond=beyond, upwards=upwards, most=most)
        if len(found) == most:
            request.names_end = found[-1]  # type: ignore[attr-defined]
        return queryset.filter(pk__in=found), False


def organisations_for_search(request: HttpRequest, text: str, *, kind: str = "") -> list[int]:
    """Return the ids of organisations with the text in their name, by which another list is filtered.

    The list is filtered by these ids: with a join, names would be compared for each row of the list. Tells
    the reader when there are more than it may be filtered by.
    """
    found = names.organisations_named(text, kind=kind, most=names.MOST + 1)
    if len(found) > names.MOST:
        more = _(
            "More than %(most)d organisations have this in their name: these are rows of the newest of them. "
            "Enter more of the name."
        )
        messages.warning(request, more % {"most": names.MOST})
    return found[: names.MOST]
