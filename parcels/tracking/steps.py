"""Statuses explained to whoever waits for a parcel, and how far it has come. Pure."""

from collections.abc import Iterable
from typing import Final, TypedDict

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from parcels.choices import ParcelStatus
from parcels.scans.rules import ScanFact, standing, status_of

S = ParcelStatus

EXPLANATIONS: Final[dict[str, str | Promise]] = {
    S.BOOKED: _("The sender has booked this parcel. The courier has not picked it up yet."),
    S.PICKED_UP: _("The courier has picked the parcel up from the sender."),
    S.IN_TRANSIT: _("The parcel is travelling between the courier's facilities."),
    S.OUT_FOR_DELIVERY: _("The parcel has left for the recipient's address."),
    S.ATTEMPT_FAILED: _(
        "The courier tried to deliver the parcel and could not hand it over. The history says why."
    ),
    S.AVAILABLE_FOR_PICKUP: _(
        "The parcel waits in a locker or at a station for the recipient to collect it."
    ),
    S.DELIVERED: _("The parcel has been handed over."),
    S.EXCEPTION: _("Something keeps the parcel from going on. The history says what."),
    S.RETURNING: _("The parcel is on its way back to the sender."),
    S.RETURNED: _("The parcel is back with the sender."),
    S.LOST: _(
        "The courier has reported the parcel lost. Ask the shop it was ordered from what happens next."
    ),
    S.CANCELLED: _("The sender called the parcel off before the courier picked it up."),
}

_WAY: Final = (S.BOOKED, S.PICKED_UP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED)
_PLACE_ON_WAY: Final = {status: place for place, status in enumerate(_WAY)} | {
    S.ATTEMPT_FAILED: 3,
    S.AVAILABLE_FOR_PICKUP: 3,
}
# Statuses that end the way somewhere else.
_ELSEWHERE: Final = frozenset({S.RETURNING, S.RETURNED, S.LOST, S.CANCELLED})


class ProgressStep(TypedDict):
    """One step of the way, as the stepper component draws it."""

    label: str | Promise
    state: str


def progress(status: str, scans: Iterable[ScanFact]) -> list[ProgressStep]:
    """Return the steps from booking to delivery, or to where the parcel went instead.

    What keeps a parcel from going on stands in the place it had come to.
    """
    now = S(status)
    if now in _ELSEWHERE:
        way = [_step(step, "done") for step in _WAY[: _reached(scans) + 1]]
        return [*way, _step(now, "current" if now == S.RETURNING else "error")]
    place = _PLACE_ON_WAY.get(now, _reached(scans))
    steps = [_step(step, "done" if at < place else "todo") for at, step in enumerate(_WAY)]
    if now == S.DELIVERED:
        steps[place] = _step(now, "done")
    else:
        steps[place] = _step(now, "error" if now in {S.ATTEMPT_FAILED, S.EXCEPTION} else "current")
    return steps


def _reached(scans: Iterable[ScanFact]) -> int:
    """How far along the way the scans that stand have brought the parcel."""
    statuses = (status_of(scan.code, consent=scan.consent) for scan in standing(scans))
    # Delivered and then returned: it came as far as the door.
    return min(max((_PLACE_ON_WAY.get(status, 0) for status in statuses), default=0), len(_WAY) - 2)


def _step(status: ParcelStatus, state: str) -> ProgressStep:
    return {"label": status.label, "state": state}
