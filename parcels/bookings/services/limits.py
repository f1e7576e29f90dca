"""What a merchant may book now: nothing while it is suspended, and a limited number while it is new."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from alliance.choices import OrganisationStatus
from alliance.errors import NotPermitted, TooMany
from alliance.identifiers import parcel_id_at
from alliance.locks import Lock
from alliance.tenancy import raw_rows

# One message: the second statement sees what was committed while the first waited for the lock.
_STANDING = """
SELECT pg_advisory_xact_lock_shared(%s);
SELECT o.status, o.created_at, coalesce(m.limit_lifted, false)
FROM alliance_organisation o LEFT JOIN parcels_merchant m ON m.organisation_id = o.id WHERE o.id = %s
"""
_WAITING = """
SELECT pg_advisory_xact_lock(%s, %s);
SELECT count(*) FROM parcels_parcel WHERE merchant_id = %s AND id >= %s AND status = 'booked'
"""


def room_of_merchant(merchant_id: int, *, at: datetime) -> int | None:
    """Return how many more parcels a merchant may book; None without a limit.

    A new merchant may have only so many parcels that wait for pickup: otherwise anybody who signs up could
    fill the capacity of a lane for days. Ops lift that for merchants they know. Suspensions wait until the
    transaction ends, so a suspended courier is not booked either, if offers are read afterwards.
    Raises NotPermitted for a suspended merchant.
    """
    [(status, created_at, is_lifted)] = raw_rows(_STANDING, [Lock.CHANGE_STANDING.value, merchant_id])
    if status != OrganisationStatus.ACTIVE:
        message = _("Your organisation is suspended. Contact the alliance's operations team.")
        raise NotPermitted(message, code="organisation_suspended")
    limit = settings.NEW_MERCHANT_PARCELS
    if not limit or is_lifted or at - created_at >= timedelta(days=settings.NEW_MERCHANT_DAYS):
        return None
    first_id = parcel_id_at(created_at - timedelta(days=1))
    [(waiting,)] = raw_rows(_WAITING, [Lock.BOOK_AS_NEW.value, merchant_id, merchant_id, first_id])
    return max(limit - int(waiting), 0)


def no_room() -> TooMany:
    """The refusal of a booking beyond the limit."""
    message = _(
        "A merchant in its first %(days)d days may have at most %(limit)d parcels waiting for pickup. "
        "Book the rest when some are picked up, or ask the alliance's operations team."
    )
    numbers = {"days": settings.NEW_MERCHANT_DAYS, "limit": settings.NEW_MERCHANT_PARCELS}
    return TooMany(message % numbers, code="too_many_waiting")
