"""Close a month: its statements become final, and later corrections go into the next month."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability, OrganisationKind
from alliance.database.together import require_settled
from alliance.errors import Conflict, FieldError, InvalidInput
from alliance.events import Topic
from alliance.tenancy import Actor, raw_rows, require
from slas.credits.models import ClosedMonth, CreditEntry
from slas.credits.months import is_over, month_of, spell
from slas.credits.services.entries import lock_books


@dataclass(frozen=True, slots=True)
class MonthBooks:
    """The sums of a month in the ledger, before or after it is closed."""

    month: date
    entries: int
    credited_fen: int
    taken_back_fen: int
    merchants: int
    couriers: int
    closed: bool

    @property
    def total_fen(self) -> int:
        return self.credited_fen + self.taken_back_fen

    @property
    def statements(self) -> int:
        """One for each organisation with an entry; no organisation is both merchant and courier."""
        return self.merchants + self.couriers


# Statements that are written at once.
SLICE = 10_000
_BOOKS = """
SELECT count(*), coalesce(sum(amount_fen) FILTER (WHERE amount_fen > 0), 0)::bigint,
    coalesce(sum(amount_fen) FILTER (WHERE amount_fen < 0), 0)::bigint,
    count(DISTINCT merchant_id), count(DISTINCT courier_id)
FROM slas_creditentry WHERE month = %(month)s
"""
# The statements of the next organisations of one side, along the index of that side, then their events. In
# slices: ten million in one statement would not end within the time that one may take.
_STATE = f"""
INSERT INTO slas_statement (organisation_id, month, entries, total_fen, closed_at)
SELECT <side>_id, %(month)s, count(*), sum(amount_fen), %(now)s
FROM slas_creditentry WHERE month = %(month)s AND <side>_id > %(after)s
GROUP BY <side>_id ORDER BY <side>_id LIMIT {SLICE}
RETURNING organisation_id
"""  # noqa: S608 -- built of constants
_ANNOUNCE = f"""
INSERT INTO alliance_event (topic, at, <side>_id, payload)
SELECT '{Topic.STATEMENT_CLOSED}', %(now)s, o.id,
    jsonb_build_object('month', to_char(s.month, 'YYYY-MM'), 'entries', s.entries,
        'total', to_char(s.total_fen / 100.0, 'FM9999999999990.00'), 'currency', 'CNY')
FROM slas_statement s JOIN alliance_organisation o ON o.id = s.organisation_id AND o.kind = '<side>'
WHERE s.month = %(month)s AND s.organisation_id > %(after)s AND s.organisation_id <= %(last)s
RETURNING 1
"""  # noqa: S608 -- built of constants


def books_of(month: date) -> MonthBooks:
    """Add up a month over all organisations. Needs the scope of everything."""
    [(entries, credited, taken_back, merchants, couriers)] = raw_rows(_BOOKS, {"month": month})
    closed = ClosedMonth.objects.filter(pk=month).exists()
    return MonthBooks(month, entries, credited, taken_back, merchants, couriers, closed)


def last_closed() -> date:
    """The newest closed month; months close in order, so all later ones are open."""
    newest = ClosedMonth.objects.order_by("-month").values_list("month", flat=True).first()
    return newest or date.min


def open_months(*, now: datetime) -> list[date]:
    """Months that are over and not closed, the oldest first: those with entries, and last month."""
    entries = CreditEntry.objects.filter(month__gt=last_closed()).order_by()
    months = set(entries.values_list("month", flat=True).distinct())
    last = _month_before(month_of(now))
    if not ClosedMonth.objects.filter(pk=last).exists():
        months.add(last)
    return sorted(month for month in months if is_over(month, now))


@transaction.atomic
def close_month(*, actor: Actor, month: date, now: datetime) -> MonthBooks:
    """Make the statements of a month final: one for each merchant and courier with an entry in it.

    A replay changes nothing and returns the same. Raises NotPermitted for everyone but ops, InvalidInput for
    a month that is not over, Conflict while an earlier one is open, Unavailable while a worker is away.
    """
    require(actor, Capability.OPERATE)
    if month.day != 1 or not is_over(month, now):
        message = _("%(month)s is not over yet.") % {"month": spell(month)}
        raise InvalidInput(message, errors=[FieldError("/month", message, "not_over")])
    # Waits for entries being written, and blocks new ones: each statement after it sees all of them, but on a
    # cluster those that a killed worker has not committed yet.
    lock_books(closing=True)
    require_settled()
    books = books_of(month)
    if books.closed:
        return books
    _refuse_if_earlier_open(month, now)
    for side in (OrganisationKind.MERCHANT, OrganisationKind.COURIER):
        _state(side.value, month, now)
    ClosedMonth.objects.create(month=month, closed_at=now, closed_by_id=actor.user_id)
    _record(actor, books)
    return books_of(month)


def close_months_over(*, actor: Actor, now: datetime) -> list[MonthBooks]:
    """Close every month that is over, the oldest first; months closed already are left out."""
    return [close_month(actor=actor, month=month, now=now) for month in open_months(now=now)]


def _state(side: str, month: date, now: datetime) -> None:
    state, announce = (statement.replace("<side>", side) for statement in (_STATE, _ANNOUNCE))
    parameters: dict[str, Any] = {"month": month, "now": now, "after": 0}
    while stated := [pk for (pk,) in raw_rows(state, parameters)]:
        raw_rows(announce, {**parameters, "last": max(stated)})
        parameters["after"] = max(stated)


def _refuse_if_earlier_open(month: date, now: datetime) -> None:
    earlier = next((open_month for open_month in open_months(now=now) if open_month < month), None)
    if earlier is not None:
        message = _("Close %(month)s first.") % {"month": spell(earlier)}
        raise Conflict(message, code="earlier_month_open")


def _month_before(month: date) -> date:
    return month.replace(year=month.year - (month.month == 1), month=(month.month - 2) % 12 + 1)


def _record(actor: Actor, books: MonthBooks) -> None:
    detail: dict[str, Any] = {
        "entries": books.entries,
        "total_fen": books.total_fen,
        "statements": books.statements,
    }
    audit.record(
        actor=actor,
        verb="credit_month.closed",
        object_type="closed_month",
        object_id=spell(books.month),
        detail=detail,
    )
