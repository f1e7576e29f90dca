"""Read all rows of a query, however many, a slice a transaction: no long snapshot, no large answer."""

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet

from alliance.tenancy import Scope, scope

M = TypeVar("M", bound=Model)
ROWS_A_SLICE: Final = 1_000


def in_slices(rows: "QuerySet[M]") -> Iterator[M]:
    """Yield rows of all tenants by their key; those that change meanwhile are read before or after."""
    last: Any = None
    while True:
        with scope(Scope.everything()):
            found = rows.order_by("pk") if last is None else rows.filter(pk__gt=last).order_by("pk")
            read = list(found[:ROWS_A_SLICE])
        yield from read
        if len(read) < ROWS_A_SLICE:
            return
        last = read[-1].pk
