"""Admin lists of tables that grow without limit: not counted, not sorted, and with a time limit."""

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

# Pages use OFFSET, so a deep page reads all rows above it.
MOST_PAGES: Final = 200
# A filter with few matches scans the whole list: it is given up after this time.
PATIENCE_SECONDS: Final = 10
# Organisations that one search may match, at most.
_MOST_ORGANISATIONS: Final = 100


class BoundedPaginator(InfinitePaginator):
    """Next and previous links, down to a limited depth."""

    @property
    def count(self) -> int:
        return MOST_PAGES * int(self.per_page)


class Uncounted(int):
    """More rows than a page shows. "Select all 51" would be false, "Select all matching" is not."""

    def __str__(self) -> str:
        return _("matching")


class OneOrderList(ChangeList):
    """A list in the order of its index, whatever column the URL asks for."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        self.params.pop(ORDER_VAR, None)
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # There is no count: what is shown is all that the page may speak of, or select.
        rows = len(self.result_list)
        more = self.model_admin.acts_across and rows == self.list_per_page
        self.result_count = self.full_result_count = Uncounted(rows + 1) if more else rows


class LongListMixin:
    """Lets the list of an admin be of a table of any size."""

    paginator = BoundedPaginator
    sortable_by = ()
    # "Show counts" would run a count of the table for each filter.
    show_facets = ShowFacets.NEVER
    # Whether its actions may take all rows of a filtered list. They limit how many.
    acts_across = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OneOrderList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or redirect to it without the filters when the filtered query takes too long."""
        if request.method != "GET":
            return self._list(request if self.acts_across else _of_ticked_rows(request), extra_context)
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL statement_timeout = %s", [f"{PATIENCE_SECONDS}s"])
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


def _of_ticked_rows(request: HttpRequest) -> HttpRequest:
    """Leave actions the ticked rows alone: the list offers no others, and all of them have no limit."""
    if "select_across" in request.POST:
        data = request.POST.copy()
        data["select_across"] = "0"
        request.POST = data  # type: ignore[assignment]
    return request


def organisation_ids_matching(text: str) -> list[int]:
    """Return the ids of organisations with that slug, or with the text in their name.

    The list is filtered by these ids: with a join, names would be compared for each row of the list.
    """
    organisations = Organisation.objects.filter(Q(slug=text) | Q(name__icontains=text))
    return list(organisations.order_by("pk").values_list("pk", flat=True)[:_MOST_ORGANISATIONS])
