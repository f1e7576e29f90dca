"""What the senders of scans are told."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from parcels.choices import Contradiction

# Warnings of accepted scans, by the remarks of REFOLD.
WARNINGS: Final[Mapping[str, str | Promise]] = {
    Contradiction.MOVING_THOUGH_CANCELLED: _(
        "The merchant cancelled this parcel. Stop it and return it to the sender."
    ),
    Contradiction.DELIVERED_AFTER_RETURN: _(
        "A return had begun before this delivery, so it counts as returned to the sender. If it was delivered"
        " to the recipient, withdraw the return by a correction."
    ),
    Contradiction.RETURNED_AFTER_DELIVERY: _(
        "This parcel was delivered before it was returned. Withdraw the wrong scan by a correction."
    ),
    Contradiction.DELIVERED_TWICE: _(
        "This parcel was delivered twice; the later delivery counts. Withdraw the wrong one by a correction."
    ),
    Contradiction.SCANNED_AFTER_RETURN: _(
        "This parcel was scanned after its return to the sender. It stays returned."
    ),
    Contradiction.SCANNED_AFTER_DELIVERY: _(
        "This parcel was scanned after its delivery. It stays delivered unless you withdraw the delivery by a"
        " correction."
    ),
    Contradiction.SEEN_AFTER_LOSS: _("This parcel had been reported lost. It counts as found."),
    "nothing_withdrawn": _(
        "No scan that this correction names has been received. It takes effect when that scan arrives."
    ),
    "withdrawn_already": _(
        "A correction that was received earlier withdraws this scan, so it does not count. If it happened,"
        " send it with another event id."
    ),
}
