"""What lists say of a parcel's way back."""

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from parcels.bookings.models import Parcel


def way_of(parcel: Parcel) -> str:
    """Whether a parcel is a return, or has one; "" for most."""
    if parcel.return_of_id is not None:
        return pgettext("a parcel", "Return")
    if parcel.returned_by_id is None:
        return ""
    return _("Has a return") if parcel.has_return else _("Return cancelled")
