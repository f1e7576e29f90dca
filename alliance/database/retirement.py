"""Which months have left the database, and what that means for whoever asks for a parcel of theirs.

Months leave in order, so one parcel id divides what was moved out from what is here.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance.choices import RetirementState
from alliance.database.partitions import Month, retired_before
from alliance.errors import AllianceError, Gone, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.models import RetiredMonth

CODE = "retired"
# So many whole months before this one stay, whatever is asked for: whether one of theirs was retired is known
# without asking the database, which looks for numbers that nobody knows would do otherwise.
LEAST_MONTHS = 3


def is_retired(parcel_id: int) -> bool:
    """Whether a parcel's month has left, or is leaving."""
    if Month.of_parcel(parcel_id) >= Month.of(timezone.now().date()).plus(-LEAST_MONTHS):
        return False
    return parcel_id < retired_before()


def retired_through() -> date:
    """Return the last due date that parcels of retired months share in; what is due later is all here."""
    latest = RetiredMonth.objects.filter(due_through__isnull=False).order_by("-due_through").first()
    return latest.due_through if latest and latest.due_through else date.min


def is_detaching() -> bool:
    """Whether a month is on its way out of the tables at this moment."""
    return RetiredMonth.objects.filter(state=RetirementState.LEAVING).exists()


def gone(parcel_id: int) -> Gone:
    """Return the error that says so to whoever asks for the parcel."""
    month = Month.of_parcel(parcel_id)
    detail = _(
        "This parcel was booked in %(month)s and is now in the alliance's archive. Its results still "
        "count in the rates."
    )
    return Gone(detail % {"month": month}, code=CODE)


def explained(error: AllianceError, arguments: Mapping[str, Any]) -> AllianceError:
    """Return a better error when what was not found is a parcel, named in the address, that was moved out."""
    if not isinstance(error, NotFound) or isinstance(error, Gone):
        return error
    try:
        parcel_id = parse_tracking_number(str(arguments.get("number", "")))
    except InvalidTrackingNumber:
        return error
    return gone(parcel_id) if is_retired(parcel_id) else error
