"""What a parcel's scans say beside its status, in sentences for its recipient. Pure."""

from typing import Final

from django.utils.translation import gettext as _

from parcels.choices import Contradiction, ScanCode
from parcels.scans.places import public_place
from parcels.scans.rules import CONSIGNEE, ScanFact, party_at_fault

_RETITLED: Final = frozenset({ScanCode.ATTEMPT_FAILED, ScanCode.AVAILABLE_FOR_PICKUP, ScanCode.HELD})


def public_title(code: str, *, reason: str, consent: bool) -> str:
    """A scan in a few words, where its label would say too much or too little; "" for the label.

    Only a reason of the recipient says that the courier tried.
    """
    if code not in _RETITLED:
        return ""
    if code == ScanCode.ATTEMPT_FAILED and party_at_fault(reason) != CONSIGNEE:
        return _("Not delivered")
    if code == ScanCode.AVAILABLE_FOR_PICKUP and not consent:
        return _("Left in a locker or station")
    return _("On hold") if code == ScanCode.HELD else ""


def seen_text(scan: ScanFact | None, moment: str) -> str:
    """Where a parcel in transit was last; "" if the scan does not say, or not for the public."""
    place = "" if scan is None else public_place(getattr(scan, "facility", ""))
    if scan is None or not place:
        return ""
    params = {"place": place, "at": moment}
    if scan.code == ScanCode.ARRIVED:
        return _("The parcel arrived at %(place)s on %(at)s.") % params
    return _("The parcel left %(place)s on %(at)s.") % params if scan.code == ScanCode.DEPARTED else ""


def contradiction_text(contradiction: str, *, courier: str, is_lost: bool) -> str:
    """What the scans say against the status, so that the history does not puzzle the reader."""
    match contradiction:
        case "":
            return ""
        case Contradiction.MOVING_THOUGH_CANCELLED:
            return _("It was picked up anyway, and has to go back to the sender.")
        case Contradiction.DELIVERED_TWICE:
            return _("%(courier)s recorded two deliveries; the later one counts.") % {"courier": courier}
        case Contradiction.SEEN_AFTER_LOSS:
            return "" if is_lost else _("It had been reported lost and has turned up.")
    return _("%(courier)s has later recorded something that contradicts this.") % {"courier": courier}
