"""The demo's books: credits worked out as days go by, silent parcels traced, months closed."""

from datetime import date, datetime

from alliance.tenancy import Actor, Scope, scope
from parcels.scans.lost_parcels import trace_lost_parcels
from slas.credits.services.closing import close_months_over
from slas.credits.services.entries import check_grown_credits, work_out_credits

# As beat does it.
CLOSING_DAY = 3


def keep_books(now: datetime) -> None:
    """Credit what has become late since, or later by a band."""
    check_grown_credits(now=now)
    work_out_credits(now=now)


def end_day(ops: Actor, day: date, now: datetime) -> None:
    """Trace what is silent; early in a month, make the last one final."""
    trace_lost_parcels(now=now)
    keep_books(now)
    if day.day == CLOSING_DAY:
        with scope(Scope.everything()):
            close_months_over(actor=ops, now=now)
