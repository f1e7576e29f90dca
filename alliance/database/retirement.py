"""Which months were moved out of the database, and the error for a parcel of such a month.

Months leave in order, so one parcel id separates retired parcels from those still here.
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
# So many whole months before the current one are never retired, whatever the setting says. For their parcels
# no query is needed, so look-ups of unknown recent numbers cost no second query.
LEAST_MONTHS = 3


def is_retired(parcel_id: int) -> bool:
    """Whether a parcel's month was moved out of the database, or is being moved."""
    if Month.of_parcel(parcel_id) >= Month.of(timezone.now().date()).plus(-LEAST_MONTHS):
        return False
    return parcel_id < retired_before()


def retired_through() -> date:
    """Return the last due date of retired parcels; all that is due later is in the database."""
    latest = RetiredMonth.objects.filter(due_through__isnull=False).order_by("-due_through").first()
    return latest.due_through if latest and latest.due_through else date.min


def is_detaching() -> bool:
    """Whether a month is being detached from its tables now."""
    return RetiredMonth.objects.filter(state=RetirementState.LEAVING).exists()


def retired_error(parcel_id: int) -> Gone:
    """Return the error for a parcel of a retired month."""
    month = Month.of_parcel(parcel_id)
    detail = _(
        "This parcel was booked in %(month)s and is now in the alliance's archive. Its results still "
        "count in the rates."
    )
    return Gone(detail % {"month": month}, code=CODE)


def explain_not_found(error: AllianceError, arguments: Mapping[str, Any]) -> AllianceError:
    """Return Gone instead of an error if the URL names a parcel that was moved out of the database."""
    if not isinstance(error, NotFound) or isinstance(error, Gone):
        return error
    try:
        # Named as in the API, or shortly as on pages.
        number = arguments.get("tracking_number") or arguments.get("number", "")
        parcel_id = parse_tracking_number(str(number))
    except InvalidTrackingNumber:
        return error
    return retired_error(parcel_id) if is_retired(parcel_id) else error
