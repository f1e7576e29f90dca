"""Checks of a parcel's weight and ready time, before any offer is looked at. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from alliance.errors import FieldError
from alliance.wording import money_text
from slas.promises.prices import yuan

# A client's clock may be slow: a parcel that is ready "now" is not refused.
READY_GRACE = timedelta(minutes=5)
READY_AHEAD = timedelta(days=30)
# More than any tier carries: a higher number is a mistake (and does not fit the column).
WEIGHT_LIMIT_G = 1_000_000


def weight_problems(pointer: str, weight_g: int) -> Iterator[FieldError]:
    """Yield the problems of a parcel's weight."""
    if weight_g < 1:
        yield FieldError(pointer, _("A parcel weighs at least 1 g."), "min_value")
    elif weight_g > WEIGHT_LIMIT_G:
        yield FieldError(pointer, _("No service carries this weight."), "too_heavy")


def value_problems(pointer: str, declared_fen: int | None, *, limit_fen: int) -> Iterator[FieldError]:
    """Yield the problems of a declared value."""
    if declared_fen is not None and declared_fen > limit_fen:
        message = _("The declared value is at most %(limit)s: a lost parcel is compensated by it.")
        yield FieldError(pointer, message % {"limit": money_text(yuan(limit_fen))}, "over_limit")


def ready_problems(pointer: str, ready_at: datetime, *, at: datetime) -> Iterator[FieldError]:
    """Yield the problems of a parcel's ready time, for a request made at `at`.

    Earlier on the same day means now: people write a day, and programs make it midnight.
    """
    if ready_at.utcoffset() is None:
        yield FieldError(pointer, _("Include the UTC offset."), "naive")
    elif ready_at < at - READY_GRACE and ready_at.date() < at.astimezone(ready_at.tzinfo).date():
        yield FieldError(pointer, _("This time has passed."), "past")
    elif ready_at > at + READY_AHEAD:
        yield FieldError(pointer, _("Book at most %d days ahead.") % READY_AHEAD.days, "too_far_ahead")
