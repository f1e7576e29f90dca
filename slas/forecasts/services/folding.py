"""Fold progress tallies into the histograms that forecasts are made from.

Separate from folding the on-time rates: each delivery adds up to nine marks, and they are not needed before
the day is over, as forecasts read only the days before today.
"""

from datetime import date, timedelta
from typing import Final

from django.utils import timezone

from alliance.locks import Lock
from alliance.tenancy import raw_rows
from slas.forecasts.sql import PROGRESS
from slas.rates.services.folding import BATCH, BUDGET_SECONDS, Folded, fold

# Late parcels change days of some weeks ago; after that no forecast reads the day.
KEPT: Final = timedelta(days=60)


def fold_progress(*, limit: int = BATCH, budget: float = BUDGET_SECONDS) -> Folded:
    """Fold waiting progress tallies until none is left or the time is up."""
    return fold(PROGRESS, lock=Lock.FOLD_PROGRESS, limit=limit, budget=budget)


def kept_from() -> date:
    """Return the due date from which progress is kept: forecasts look back 28 days."""
    return timezone.localdate() - KEPT


def forget_progress() -> int:
    """Delete progress older than any forecast reads; return the number of cells."""
    return len(raw_rows("DELETE FROM slas_progress WHERE due_date < %s RETURNING 1", [kept_from()]))
