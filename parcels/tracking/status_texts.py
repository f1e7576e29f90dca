"""What a status alone means for a recipient: what happens next, and what happened.

Lazy texts, so that one look-up tells one status.
"""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from parcels.choices import ParcelStatus

S = ParcelStatus

NEXT: Final[dict[ParcelStatus, str | Promise]] = {
    S.BOOKED: gettext_lazy("%(courier)s picks it up from the sender."),
    S.PICKED_UP: gettext_lazy("It is taken to the depot in %(city)s."),
    S.IN_TRANSIT: gettext_lazy("It goes out for delivery in %(city)s."),
    S.OUT_FOR_DELIVERY: gettext_lazy("The driver will deliver it on this round."),
    S.AVAILABLE_FOR_PICKUP: gettext_lazy("It goes back to the sender if it is not collected in time."),
    S.DELIVERED: gettext_lazy("Nothing more. The delivery is complete."),
    S.RETURNING: gettext_lazy("It goes back to the sender and is not delivered any more."),
    S.RETURNED: gettext_lazy("It will not be delivered again."),
    S.LOST: gettext_lazy("It will not be delivered. The shop settles the loss with the courier."),
    S.CANCELLED: gettext_lazy("It will not be delivered."),
}
HAPPENED: Final[dict[ParcelStatus, str | Promise]] = {
    S.BOOKED: gettext_lazy("The sender has booked this parcel. %(courier)s has not picked it up yet."),
    S.PICKED_UP: gettext_lazy("%(courier)s has picked up the parcel from the sender."),
    S.IN_TRANSIT: gettext_lazy("The parcel is on its way between the courier's depots."),
    S.OUT_FOR_DELIVERY: gettext_lazy("The parcel is with the driver."),
    S.ATTEMPT_FAILED: gettext_lazy("The parcel could not be delivered."),
    S.AVAILABLE_FOR_PICKUP: gettext_lazy("The parcel is ready for collection at a locker or station."),
    S.DELIVERED: gettext_lazy("The parcel was delivered."),
    S.EXCEPTION: gettext_lazy("The parcel is on hold."),
    S.RETURNING: gettext_lazy("The parcel is on its way back to the sender."),
    S.RETURNED: gettext_lazy("The parcel has been back with the sender since %(day)s."),
    S.LOST: gettext_lazy("%(courier)s reported the parcel lost on %(day)s."),
    S.CANCELLED: gettext_lazy("The sender cancelled the parcel before pickup."),
}
