"""Lists of tables that grow without end, for the admin: neither counted, nor sorted, nor walked for long."""

from contextlib import nullcontext
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from psycopg2.errors import QueryCanceled
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from alliance.models import Organisation
from alliance.tenancy import in_index_order

# A page deep down reads all that is above it.
MOST_PAGES: Final = 200
# What matches rarely is looked for along the whole list: a filter that takes longer helps nobody.
PATIENCE_SECONDS: Final = 10
# Organisations one search means, at most.
_MOST_NAMED: Final = 100


class BoundedPaginator(InfinitePaginator):
    """Next and previous, so far down and no farther."""

    @property
    def count(self) -> int:
        return MOST_PAGES * int(self.per_page)


class OneOrderList(ChangeList):
    """A list in the order of its index, whatever column the address asks for."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        self.params.pop(ORDER_VAR, None)
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Nobody counted: the heading, which writes a count that differs, is to write none.
        self.full_result_count = self.result_count


class LongListMixin:
    """Adds to an admin that its list may be of a table of any size."""

    paginator = BoundedPaginator
    sortable_by = ()
    # "Show counts" would count everything by each filter.
    show_facets = ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OneOrderList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or go back to it without the filters when what they find takes too long to find."""
        if request.method != "GET":
            return self._list(request, extra_context)
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL statement_timeout = %s", [f"{PATIENCE_SECONDS}s"])
                # What a search finds is put in order; all there is is not, though the names joined to it and
                # the policies make the planner think so.
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
        # Rows are read where the page is written.
        return response.render() if hasattr(response, "render") else response


def organisations_meant(text: str) -> list[int]:
    """Ids of organisations of that short name, or with that in their name.

    To be looked up by: joined to a long list, names would be compared row by row.
    """
    named = Organisation.objects.filter(Q(slug=text) | Q(name__icontains=text))
    return list(named.order_by("pk").values_list("pk", flat=True)[:_MOST_NAMED])
