"""The demo's credits: calculated day by day, with lost parcels and closed months."""

from datetime import date, datetime

from alliance.tenancy import Actor, Scope, scope
from parcels.freight.services.counting import close_freight, count_freight
from parcels.scans.lost_parcels import trace_lost_parcels
from slas.credits.services.closing import close_months_over
from slas.credits.services.entries import check_grown_credits, work_out_credits

# The same day as in beat's schedule.
CLOSING_DAY = 3


def keep_books(now: datetime) -> None:
    """Add credits for parcels that became late, or later by a band."""
    check_grown_credits(now=now)
    work_out_credits(now=now)


def end_day(ops: Actor, day: date, now: datetime) -> None:
    """Mark silent parcels as lost; early in a month, close the last one."""
    trace_lost_parcels(now=now)
    keep_books(now)
    if day.day == CLOSING_DAY:
        # Before the month is closed: of one that was closed without freight there never is any.
        count_freight(now=now)
        with scope(Scope.everything()):
            close_months_over(actor=ops, now=now)
        # Not with the next count, a month later: there would be nothing to settle.
        close_freight(now=now)
