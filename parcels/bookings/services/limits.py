"""What a merchant may book now: nothing while it is suspended, and a limited number while it is new."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from alliance.choices import OrganisationStatus
from alliance.errors import NotPermitted, TooMany
from alliance.identifiers import parcel_id_at
from alliance.locks import Lock
from alliance.tenancy import raw_rows
from parcels.bookings.sql import OPEN_BOOKING

# One message: the second statement sees what was committed while the first waited for the lock.
_WAITING = """
SELECT pg_advisory_xact_lock(%s, %s);
SELECT count(*) FROM parcels_parcel WHERE merchant_id = %s AND id >= %s AND status = 'booked'
"""


class Opening:
    """What a booking reads first, in one message: the merchant's standing, then what is on sale.

    Suspensions wait from then on until the transaction ends, so a suspended courier is not booked either.
    """

    def __init__(self, merchant_id: int) -> None:
        self._merchant_id = merchant_id
        self._standing = _Standing("", datetime.max.replace(tzinfo=UTC), is_lifted=False)

    def read_market(self, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        """Return the rows of MARKET."""
        rows = raw_rows(OPEN_BOOKING.call, {"merchant_id": self._merchant_id, **parameters})
        columns = len(_Standing._fields)
        self._standing = _Standing(*rows[0][:columns])
        return [row[columns:] for row in rows]

    def room(self, *, at: datetime) -> int | None:
        """Return how many more parcels the merchant may book; None without a limit. Read the market first.

        A new merchant may have only so many parcels that wait for pickup: otherwise anybody who signs up
        could fill the capacity of a lane for days. Ops lift that for merchants they know.
        Raises NotPermitted for a suspended merchant.
        """
        standing = self._standing
        if standing.status != OrganisationStatus.ACTIVE:
            message = _("Your organisation is suspended. Contact the alliance's operations team.")
            raise NotPermitted(message, code="organisation_suspended")
        limit, age = settings.NEW_MERCHANT_PARCELS, at - standing.joined_at
        if not limit or standing.is_lifted or age >= timedelta(days=settings.NEW_MERCHANT_DAYS):
            return None
        first_id = parcel_id_at(standing.joined_at - timedelta(days=1))
        parameters = [Lock.BOOK_AS_NEW.value, self._merchant_id, self._merchant_id, first_id]
        [(waiting,)] = raw_rows(_WAITING, parameters)
        return max(limit - int(waiting), 0)


class _Standing(NamedTuple):
    status: str
    joined_at: datetime
    is_lifted: bool


def no_room() -> TooMany:
    """The refusal of a booking beyond the limit."""
    message = _(
        "A merchant in its first %(days)d days may have at most %(limit)d parcels waiting for pickup. "
        "Book the rest when some are picked up, or ask the alliance's operations team."
    )
    numbers = {"days": settings.NEW_MERCHANT_DAYS, "limit": settings.NEW_MERCHANT_PARCELS}
    return TooMany(message % numbers, code="too_many_waiting")
