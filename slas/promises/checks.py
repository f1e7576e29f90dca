"""What can be said of a parcel that is to be carried before looking at any offer. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from alliance.errors import FieldError

# A clock a little slow is no reason to refuse a parcel that is ready "now".
READY_GRACE = timedelta(minutes=5)
READY_AHEAD = timedelta(days=30)
# More than any tier carries; over it, the number is a mistake (and would not fit the column).
WEIGHT_LIMIT_G = 1_000_000


def weight_problems(pointer: str, weight_g: int) -> Iterator[FieldError]:
    """Yield why a parcel cannot have that weight."""
    if weight_g < 1:
        yield FieldError(pointer, _("A parcel weighs at least 1 g."), "min_value")
    elif weight_g > WEIGHT_LIMIT_G:
        yield FieldError(pointer, _("No service carries a parcel of this weight."), "too_heavy")


def ready_problems(pointer: str, ready_at: datetime, *, at: datetime) -> Iterator[FieldError]:
    """Yield why a parcel asked for at one moment cannot be ready at another."""
    if ready_at.utcoffset() is None:
        yield FieldError(pointer, _("Give the time with its UTC offset."), "naive")
    elif ready_at < at - READY_GRACE:
        yield FieldError(pointer, _("This time has passed."), "past")
    elif ready_at > at + READY_AHEAD:
        yield FieldError(pointer, _("Book at most %d days ahead.") % READY_AHEAD.days, "too_far_ahead")
