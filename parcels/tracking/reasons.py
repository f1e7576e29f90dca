"""Reasons of scans in plain words, for recipients. Pure.

Each is a clause to stand after a colon: "could not be delivered on Tuesday: roads are closed."
"""

from typing import Final

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from parcels.choices import ScanReason

R = ScanReason

CLAUSES: Final[dict[str, str | Promise]] = {
    R.COURIER_LATE_LINEHAUL: _("it reached the depot too late"),
    R.COURIER_MISSORTED: _("the courier sent it to the wrong depot"),
    R.COURIER_VEHICLE: _("the courier's vehicle broke down"),
    R.COURIER_CAPACITY: _("the courier had too many parcels"),
    R.COURIER_NOT_ATTEMPTED: _("the courier did not come"),
    R.COURIER_OTHER: _("the courier had a problem"),
    R.MERCHANT_NOT_READY: _("the sender was not ready to hand it over"),
    R.MERCHANT_BAD_DATA: _("the sender gave a wrong address or phone number"),
    R.MERCHANT_PACKAGING: _("its packaging is not fit for transport"),
    R.CONSIGNEE_ABSENT: _("nobody was there to take it"),
    R.CONSIGNEE_REFUSED: _("the parcel was refused"),
    R.CONSIGNEE_WRONG_ADDRESS: _("the address is wrong or incomplete"),
    R.CONSIGNEE_RESCHEDULED: _("the recipient asked for another time"),
    R.CONSIGNEE_UNREACHABLE: _("the recipient could not be reached"),
    R.CONSIGNEE_UNRECORDED: _("the courier did not note why"),
    R.CUSTOMS_INSPECTION: _("customs are inspecting it"),
    R.CUSTOMS_DOCUMENTS: _("customs need more documents"),
    R.WEATHER_TYPHOON: _("there is a typhoon"),
    R.WEATHER_SNOW: _("there is snow or ice"),
    R.WEATHER_FLOOD: _("there is a flood"),
    R.WEATHER_OTHER: _("the weather is bad"),
    R.FORCE_MAJEURE_TRAFFIC_CONTROL: _("roads are closed"),
    R.FORCE_MAJEURE_DISASTER: _("there was a natural disaster"),
    R.FORCE_MAJEURE_OTHER: _("something happened that nobody could prevent"),
}

# Another day is of no use before the shop or customs have done something.
OTHERS_FIRST: Final = frozenset(
    {
        R.CONSIGNEE_WRONG_ADDRESS,
        R.MERCHANT_BAD_DATA,
        R.MERCHANT_NOT_READY,
        R.MERCHANT_PACKAGING,
        R.CUSTOMS_INSPECTION,
        R.CUSTOMS_DOCUMENTS,
    }
)
# What somebody must do before the next attempt, or before the parcel travels on.
UNTIL: Final[dict[str, str | Promise]] = {
    R.CONSIGNEE_WRONG_ADDRESS: _("It cannot be delivered until the address is right."),
    R.MERCHANT_BAD_DATA: _("It cannot be delivered until the address is right."),
    R.CONSIGNEE_REFUSED: _("It goes back to the sender, unless you want it after all."),
    R.CONSIGNEE_RESCHEDULED: _("It comes at the time agreed with the courier."),
    R.MERCHANT_NOT_READY: _("It continues once the sender has handed it over."),
    R.MERCHANT_PACKAGING: _("It continues once the sender and the courier have settled this."),
    R.CUSTOMS_INSPECTION: _("It continues once customs release it; how long that takes is up to them."),
    R.CUSTOMS_DOCUMENTS: _("It continues once customs have the documents."),
}
TO_DO: Final[dict[str, str | Promise]] = {
    R.CONSIGNEE_WRONG_ADDRESS: _("Send the shop your full address; it will tell the courier."),
    R.MERCHANT_BAD_DATA: _("Send the shop your full address; it will tell the courier."),
    R.CONSIGNEE_REFUSED: _("If you want the parcel after all, tell the courier soon."),
    R.CONSIGNEE_UNREACHABLE: _("Keep your phone at hand, and check with the shop that the number is right."),
    R.MERCHANT_NOT_READY: _("Ask the shop when it will hand over the parcel."),
    R.MERCHANT_PACKAGING: _("Ask the shop whether it will send the goods again."),
    R.CUSTOMS_DOCUMENTS: _("Ask the shop to send the documents to the courier."),
}


def clause_of(reason: str) -> str:
    """The reason as a clause; a reason that we do not know is not shown to the public."""
    return str(CLAUSES[reason]) if reason in CLAUSES else gettext("the courier gave no reason")


def plain_reason(reason: str) -> str:
    """The reason as a line of its own; "" for none."""
    return capfirst(clause_of(reason)) if reason else ""
