"""Read or delete many rows a slice at a time: no long transaction, no large answer."""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet

from alliance.tenancy import Scope, scope

M = TypeVar("M", bound=Model)
# Rows read at once, and deleted at once.
ROWS_A_SLICE: Final = 1_000
SLICE: Final = 5_000


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


def for_each_slice(rows: "QuerySet[M]", *, order: str, do: Callable[[M], object]) -> int:
    """Do something to each of the rows, after which it is not one of them; return how many there were.

    In an order that an index gives, one slice per transaction. May run twice, or be killed.
    """
    count = 0
    while True:
        with scope(Scope.everything()):
            read = list(rows.order_by(order)[:ROWS_A_SLICE])
            for row in read:
                do(row)
        count += len(read)
        if len(read) < ROWS_A_SLICE:
            return count


def delete_in_slices(rows: QuerySet[Any], *, order: str) -> int:
    """Delete the rows in an order that an index gives, one slice per transaction; return how many.

    May run twice, concurrently, or be killed.
    """
    count = 0
    while True:
        with scope(Scope.everything()):
            keys = list(rows.order_by(order).values_list("pk", flat=True)[:SLICE])
            count += rows.model._default_manager.filter(pk__in=keys).delete()[0]
        if len(keys) < SLICE:
            return count
