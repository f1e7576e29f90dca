"""Which parcels wait for a courier at a place, and why others do not. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import gettext as _

from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from parcels.choices import ParcelStatus


@dataclass(frozen=True, slots=True)
class HeldParcel:
    """A parcel's row while nobody else changes it. The names are those of the statement's columns."""

    of_parcel: int
    merchant: int
    courier: int
    origin: int
    address: int | None
    day: date | None
    has_status: str
    manifest: int | None
    request: int | None
    ready: datetime
    promised_by: datetime | None
    grams: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Which courier comes to which address of a city; without one, for parcels booked from none."""

    courier_id: int
    origin_id: int
    address_id: int | None


def read_number(number: object) -> int | AllianceError:
    """Return the id of a parcel's number, or what is wrong with it."""
    if not isinstance(number, str):
        return InvalidInput(_("Send the tracking number as a text."))
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        return NotFound(str(error), code="unknown_tracking_number")


def unknown_parcel() -> NotFound:
    return NotFound(_("You have no parcel with this number."), code="unknown_tracking_number")


def not_waiting(status: str) -> Conflict | None:
    """Why a parcel of a status cannot be picked up, if it cannot."""
    if status == ParcelStatus.BOOKED:
        return None
    if status == ParcelStatus.CANCELLED:
        return Conflict(_("This parcel was cancelled."), code="parcel_cancelled")
    detail = _("This parcel has been picked up already: it is “%(status)s”.")
    return Conflict(detail % {"status": ParcelStatus(status).label}, code="already_moving")


def refusal_of(parcel: HeldParcel, place: Place) -> Conflict | None:
    """Why a parcel does not wait for a courier at a place, if it does not."""
    if refusal := not_waiting(parcel.has_status):
        return refusal
    if parcel.courier != place.courier_id:
        return Conflict(_("Another courier carries this parcel."), code="other_courier")
    # One booked without an address goes with any in its city.
    if parcel.origin != place.origin_id or parcel.address not in {None, place.address_id}:
        return Conflict(_("This parcel is picked up at another address."), code="other_address")
    return None


def judge(
    named: Sequence[int | AllianceError],
    held: Mapping[int, HeldParcel],
    *,
    merchant_id: int,
    refuse: Callable[[HeldParcel], AllianceError | None],
) -> list[HeldParcel | AllianceError]:
    """Return each parcel that was named, or why it is left out; `refuse` sees those of the merchant.

    A number that could not be read is its own reason. One that was taken before is a duplicate.
    """
    results: list[HeldParcel | AllianceError] = []
    taken: set[int] = set()
    for each in named:
        parcel = held.get(each) if isinstance(each, int) else None
        if isinstance(each, AllianceError):
            results.append(each)
        elif parcel is None or parcel.merchant != merchant_id:
            results.append(unknown_parcel())
        elif each in taken:
            results.append(Conflict(_("This number is in the list twice."), code="duplicate"))
        elif refusal := refuse(parcel):
            results.append(refusal)
        else:
            taken.add(each)
            results.append(parcel)
    return results


def none_fits(
    named: Sequence[int | AllianceError], results: Sequence[object], detail: str, *, pointer: str
) -> Conflict:
    """The refusal of a call of which nothing is left, with the reason of each parcel in its place."""
    errors = []
    for index, (each, result) in enumerate(zip(named, results, strict=True)):
        if isinstance(result, AllianceError):
            number = f"{tracking_number(each)}: " if isinstance(each, int) else ""
            errors.append(FieldError(f"{pointer}/{index}", f"{number}{result.detail}", result.reason))
    return Conflict(detail, code="no_parcel", errors=errors)
