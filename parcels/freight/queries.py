"""Freight as shown to both sides: months, and a month by counterparty."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import F, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.models import Organisation
from alliance.tenancy import Actor, require
from parcels.freight.models import FreightDay, FreightMonth, FreightStatement, FreightSum, Surcharge
from parcels.freight.rules import total_fen
from slas.credits.accounts import Account
from slas.credits.models import CreditSum
from slas.credits.months import asked_month, month_of, spell
from slas.promises.prices import yuan

PAGE: Final = 50
_OF_SUMS: Final[dict[str, Any]] = {
    "booked_count": Sum("booked_count"),
    "fees_fen": Sum("fees_fen"),
    "cancelled_count": Sum("cancelled_count"),
    "cancelled_fen": Sum("cancelled_fen"),
}
_OF_STATEMENTS: Final[dict[str, Any]] = {
    **_OF_SUMS,
    "surcharges_fen": Sum("surcharges_fen"),
    "credits_fen": Sum("credits_fen"),
}
_OF_SURCHARGES: Final[dict[str, Any]] = {"surcharges_fen": Sum("amount_fen")}
_OF_CREDITS: Final[dict[str, Any]] = {"credits_fen": Sum(F("credited_fen") + F("taken_back_fen"))}


@dataclass(slots=True)
class Freight:
    """What a month, or a counterparty's part of it, comes to."""

    booked_count: int = 0
    fees_fen: int = 0
    cancelled_count: int = 0
    cancelled_fen: int = 0
    surcharges_fen: int = 0
    credits_fen: int = 0

    @property
    def total_fen(self) -> int:
        return total_fen(self)

    @property
    def fees(self) -> str:
        return yuan(self.fees_fen)

    @property
    def cancelled(self) -> str:
        return yuan(-self.cancelled_fen)

    @property
    def surcharges(self) -> str:
        return yuan(self.surcharges_fen)

    @property
    def credits(self) -> str:
        return yuan(-self.credits_fen)

    @property
    def total(self) -> str:
        return yuan(self.total_fen)

    def add(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, getattr(self, name) + int(value or 0))


@dataclass(slots=True)
class FreightOfMonth(Freight):
    """A month of an account; closed_at is None while it is open."""

    month: date = date.min
    closed_at: datetime | None = None

    @property
    def text(self) -> str:
        return spell(self.month)


@dataclass(slots=True)
class FreightPart(Freight):
    """A month with one merchant or courier."""

    organisation: Organisation | None = None
    # Of a final month.
    statement: FreightStatement | None = None


def months_of(account: Account, *, now: datetime) -> list[FreightOfMonth]:
    """The months with freight, newest first, and the current one."""
    closed = dict(FreightMonth.objects.values_list("month", "closed_at"))
    months: dict[date, FreightOfMonth] = {}
    sources: list[tuple[Any, dict[str, Any], Q]] = [
        (FreightStatement, _OF_STATEMENTS, Q(month__in=closed)),
        (FreightSum, _OF_SUMS, ~Q(month__in=closed)),
        (Surcharge, _OF_SURCHARGES, ~Q(month__in=closed)),
    ]
    for model, sums, condition in sources:
        for row in own_rows(account, model).filter(condition).order_by().values("month").annotate(**sums):
            month = row.pop("month")
            shown = months.setdefault(month, FreightOfMonth(month=month, closed_at=closed.get(month)))
            shown.add(row)
    months.setdefault(month_of(now), FreightOfMonth(month=month_of(now)))
    for month, shown in months.items():
        if shown.closed_at is None:
            _add_credits(account, shown, month)
    return [months[month] for month in sorted(months, reverse=True)]


def month_for(account: Account, text: str, *, now: datetime) -> FreightOfMonth:
    """The month of a URL. Raises InvalidInput for an invalid one, NotFound for one without freight."""
    month = asked_month(text)
    found = next((each for each in months_of(account, now=now) if each.month == month), None)
    if found is None:
        raise NotFound(_("There is no freight in that month."))
    return found


def parts_of(
    account: Account, month: FreightOfMonth, *, after: int = 0, limit: int = PAGE
) -> list[FreightPart]:
    """The merchants or couriers of a month in the order of their ids, after one of them."""
    other = account.other_column
    statements: dict[int, FreightStatement] = {}
    if month.closed_at is not None:
        rows = own_rows(account, FreightStatement).filter(Q((f"{other}__gt", after)), month=month.month)
        statements = {getattr(row, other): row for row in rows.order_by(other)[:limit]}
        parts = {pk: part_of(row) for pk, row in statements.items()}
    else:
        parts = _open_parts(account, month.month, after, limit)
    names = Organisation.objects.in_bulk(parts.keys())
    for pk, part in parts.items():
        part.organisation = names[pk]
    return [parts[pk] for pk in sorted(parts)]


def part_of(statement: FreightStatement) -> FreightPart:
    """A final month with one merchant or courier."""
    return FreightPart(statement=statement, **{name: getattr(statement, name) for name in _OF_STATEMENTS})


def surcharges_of(account: Account, month: date, *, limit: int) -> list[Surcharge]:
    """The last surcharges of a month, the newest first."""
    rows = own_rows(account, Surcharge).filter(month=month).order_by("-pk")
    return list(rows.select_related("merchant", "courier__organisation", "withdrawn_by")[:limit])


def count_lines(account: Account, month: FreightOfMonth) -> int:
    """How many lines a month has: for files with limits."""
    surcharges = own_rows(account, Surcharge).filter(month=month.month).count()
    entries = own_rows(account, CreditSum).filter(month=month.month).aggregate(n=Sum("entry_count"))["n"]
    return month.booked_count + month.cancelled_count + surcharges + int(entries or 0)


def surcharge_for(actor: Actor, surcharge_id: int) -> Surcharge:
    """A surcharge that the actor may see. Raises NotFound."""
    require(actor, Capability.VIEW_FINANCE)
    rows = Surcharge.objects.visible_to(actor).filter(pk=surcharge_id)
    found: Surcharge | None = rows.select_related("merchant", "courier__organisation", "withdrawn_by").first()
    if found is None:
        raise NotFound
    return found


def statement_with(account: Account, month: FreightOfMonth, counterparty: str) -> FreightStatement:
    """The final month with a merchant or courier, by its id outside.

    Raises InvalidInput for who has none, Conflict while the month is open.
    """
    if month.closed_at is None:
        message = _("%(month)s is still open: it can be settled once it is final.") % {"month": month.text}
        raise Conflict(message, code="month_open")
    found: FreightStatement | None = None
    other = Organisation.objects.by_id(counterparty).first()
    if other is not None:
        rows = own_rows(account, FreightStatement).filter(month=month.month)
        found = rows.filter(Q((account.other_column, other.pk))).first()
    if found is None:
        message = _("There is no freight with this organisation in that month.")
        raise InvalidInput(errors=[FieldError("/counterparty", message, "unknown")])
    return found


def counted_until() -> datetime | None:
    """When the newest day was counted."""
    return FreightDay.objects.order_by("-day").values_list("counted_at", flat=True).first()


def _open_parts(account: Account, month: date, after: int, limit: int) -> dict[int, FreightPart]:
    other = account.other_column
    sources: list[tuple[Any, dict[str, Any]]] = [
        (FreightSum, _OF_SUMS),
        (Surcharge, _OF_SURCHARGES),
        (CreditSum, _OF_CREDITS),
    ]
    parts: dict[int, FreightPart] = {}
    for model, sums in sources:
        rows = own_rows(account, model).filter(Q((f"{other}__gt", after)), month=month)
        for row in rows.order_by(other).values(other).annotate(**sums)[:limit]:
            parts.setdefault(row.pop(other), FreightPart()).add(row)
    # Of each table the first so many: together, the first so many are complete.
    return {pk: parts[pk] for pk in sorted(parts)[:limit]}


def _add_credits(account: Account, shown: FreightOfMonth, month: date) -> None:
    for row in (
        own_rows(account, CreditSum).filter(month=month).order_by().values("month").annotate(**_OF_CREDITS)
    ):
        shown.add({"credits_fen": row["credits_fen"]})


def own_rows(account: Account, model: Any) -> QuerySet[Any, Any]:
    """The rows of a table of freight that are an account's."""
    rows: QuerySet[Any, Any] = model.objects.filter(Q((account.column, account.organisation.pk)))
    return rows
