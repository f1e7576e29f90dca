"""The steps of a parcel's progress. Pure."""

from collections.abc import Iterable
from typing import Final, TypedDict

from django.utils.functional import Promise

from parcels.choices import ParcelStatus
from parcels.scans.rules import ScanFact, standing, status_of

S = ParcelStatus

_WAY: Final = (S.BOOKED, S.PICKED_UP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED)
_PLACE_ON_WAY: Final = {status: place for place, status in enumerate(_WAY)} | {
    S.ATTEMPT_FAILED: 3,
    S.AVAILABLE_FOR_PICKUP: 3,
}
# Statuses that leave the way to delivery.
_ELSEWHERE: Final = frozenset({S.RETURNING, S.RETURNED, S.LOST, S.CANCELLED})


class ProgressStep(TypedDict):
    """One step of the stepper component."""

    label: str | Promise
    state: str


def progress(status: str, scans: Iterable[ScanFact], *, title: str = "") -> list[ProgressStep]:
    """Return the steps from booking to delivery, or to the status where the parcel left this way.

    An exception or failed attempt replaces the step that the parcel had reached. `title` is the name of the
    present step, by default that of the status.
    """
    now = S(status)
    label = title or now.label
    if now in _ELSEWHERE:
        way = [_step(step, "done") for step in _WAY[: _reached(scans) + 1]]
        return [*way, {"label": label, "state": "current" if now == S.RETURNING else "error"}]
    place = _PLACE_ON_WAY.get(now, _reached(scans))
    steps = [_step(step, "done" if index < place else "todo") for index, step in enumerate(_WAY)]
    if now == S.DELIVERED:
        steps[place] = _step(now, "done")
    else:
        is_trouble = now in {S.ATTEMPT_FAILED, S.EXCEPTION}
        steps[place] = {"label": label, "state": "error" if is_trouble else "current"}
    return steps


def _reached(scans: Iterable[ScanFact]) -> int:
    """The index of the furthest step that the effective scans have reached."""
    statuses = (status_of(scan.code, consent=scan.consent) for scan in standing(scans))
    # A parcel that was delivered and then returned counts as out for delivery.
    return min(max((_PLACE_ON_WAY.get(status, 0) for status in statuses), default=0), len(_WAY) - 2)


def _step(status: ParcelStatus, state: str) -> ProgressStep:
    return {"label": status.label, "state": state}
