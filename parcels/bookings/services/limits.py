"""What a merchant may book now: nothing while it is suspended, and a limited number while it is new."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from alliance.choices import OrganisationStatus
from alliance.database.cluster import is_distributed
from alliance.errors import NotPermitted, TooMany
from alliance.figures import unless_away
from alliance.identifiers import parcel_id_at
from alliance.locks import Lock, wait_for
from alliance.sandboxes import live_of
from alliance.tenancy import raw_rows
from parcels.bookings.sql import OPEN_BOOKING
from slas.choices import CommitmentKind
from slas.models import OnTimeRate

# One message: the second statement sees what was committed while the first waited for the lock.
_LOCK = "SELECT pg_advisory_xact_lock(%s, %s)"
_COUNT = "SELECT count(*) FROM parcels_parcel WHERE merchant_id = %s AND id >= %s AND status = 'booked'"
# How long a cluster's count is used, with all that was booked since added.
_KEPT_SECONDS = 600


class Opening:
    """What a booking reads first, in one message: the merchant's standing, then what is on sale.

    Suspensions wait from then on until the transaction ends, so a suspended courier is not booked either.
    """

    def __init__(self, merchant_id: int) -> None:
        self._merchant_id = merchant_id
        self._standing = _Standing("", datetime.max.replace(tzinfo=UTC), is_lifted=False)

    def read_market(self, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        """Return the rows of MARKET."""
        rows = raw_rows(OPEN_BOOKING.call, parameters)
        columns = len(_Standing._fields)
        self._standing = _Standing(*rows[0][:columns])
        return [row[columns:] for row in rows]

    def room(self, *, at: datetime, wanted: int) -> int | None:
        """Return how many more parcels the merchant may book; None without a limit. Read the market first.

        `wanted`: how many it asks for now.

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
        if not is_distributed():
            lock = [Lock.BOOK_AS_NEW.value, live_of(self._merchant_id)]
            [(waiting,)] = raw_rows(f"{_LOCK}; {_COUNT}", [*lock, self._merchant_id, first_id])
            return max(limit - int(waiting), 0)
        wait_for(Lock.BOOK_AS_NEW, of=self._merchant_id)
        return self._room_on_cluster(limit, first_id, wanted)

    def _room_on_cluster(self, limit: int, first_id: int, wanted: int) -> int:
        """Counting asks all shards, so a count is kept: no more wait than then, and what was booked since.

        Counted again when these would be too many. While a worker is away, its shards count as at the last
        fold.
        """
        key = _key(self._merchant_id)
        waiting: int | None = cache.get(key)
        if waiting is None or waiting + wanted > limit:
            waiting = unless_away(lambda: self._count(first_id), otherwise=None)
            waiting = self._count_folded() if waiting is None else waiting
        room = max(limit - waiting, 0)
        cache.set(key, waiting + min(wanted, room), _KEPT_SECONDS)
        return room

    def _count(self, first_id: int) -> int:
        [(waiting,)] = raw_rows(_COUNT, [self._merchant_id, first_id])
        return int(waiting)

    def _count_folded(self) -> int:
        cells = OnTimeRate.objects.of_merchants().filter(
            organisation_id=self._merchant_id, kind=CommitmentKind.PICKUP
        )
        return int(cells.aggregate(n=Coalesce(Sum("pending") + Sum("overdue"), 0))["n"])


def forget_waiting(merchant_id: int) -> None:
    """Have a merchant's parcels counted anew: what was booked without a limit is in no count."""
    cache.delete(_key(merchant_id))


def _key(merchant_id: int) -> str:
    return f"waiting:{merchant_id}"


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
