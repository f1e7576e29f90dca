"""Which windows may be asked for, which parcels fit into one, and what became of it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.utils.translation import gettext as _

from alliance.clocks import local_clock
from alliance.dates import date_text
from alliance.durations import duration_text
from alliance.errors import Conflict, FieldError
from parcels.choices import PickupStage, PickupState
from parcels.waiting import rules as waiting
from parcels.waiting.rules import HeldParcel, Place

SHORTEST: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
# How far ahead a window may begin. Parcels that are promised end it much earlier.
FURTHEST: Final = timedelta(days=14)
# A courier that reads a request at the last minute still has to get there.
LEAST_NOTICE: Final = timedelta(minutes=30)
NOTE_LENGTH: Final = 300
MOST_PARCELS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Window:
    """When a courier comes: at one address, so in one zone, and on one of its days."""

    starts_at: datetime
    ends_at: datetime
    zone: str

    @property
    def day(self) -> date:
        return local_clock(self.starts_at, self.zone).date()

    @property
    def text(self) -> str:
        """The day and both hours by the clock of the place."""
        start, end = local_clock(self.starts_at, self.zone), local_clock(self.ends_at, self.zone)
        return f"{date_text(start, 'MOMENT_FORMAT')}–{end:%H:%M}"

    @property
    def hours(self) -> str:
        """Both hours, on a list of one day."""
        start, end = local_clock(self.starts_at, self.zone), local_clock(self.ends_at, self.zone)
        return f"{start:%H:%M}–{end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Stop:
    """Which courier comes to which address."""

    courier_id: int
    address_id: int


def window_problems(window: Window, *, now: datetime) -> Iterator[FieldError]:
    """Yield what is wrong with a window by itself."""
    start, end, length = "/starts_at", "/ends_at", window.ends_at - window.starts_at
    if length <= timedelta():
        yield FieldError(end, _("The window must end after it begins."), "order")
        return
    if not SHORTEST <= length <= LONGEST:
        message = _("A window is %(shortest)s to %(longest)s long.") % {
            "shortest": duration_text(SHORTEST),
            "longest": duration_text(LONGEST),
        }
        yield FieldError(end, message, "length")
    if window.ends_at < now + LEAST_NOTICE:
        message = _("The window must end at least %(notice)s from now.") % {
            "notice": duration_text(LEAST_NOTICE)
        }
        yield FieldError(end, message, "past")
    elif window.starts_at > now + FURTHEST:
        message = _("The window may begin at most %(days)d days from now.") % {"days": FURTHEST.days}
        yield FieldError(start, message, "too_far")
    # Last, as no clock shows what is further away than the calendar.
    elif local_clock(window.ends_at - timedelta(microseconds=1), window.zone).date() != window.day:
        message = _("A window begins and ends on the same day at the pickup address.")
        yield FieldError(end, message, "two_days")


def refusal_of(
    parcel: HeldParcel, place: Place, window: Window, *, is_taken: bool, now: datetime
) -> Conflict | None:
    """Return why a parcel is not picked up in this window; None if it may be.

    A window that ends after the hour until which the pickup is promised would make the courier late by the
    merchant's own wish. Of a parcel that is late already, nothing more is promised: it goes with any window.
    """
    if refusal := waiting.refusal_of(parcel, place):
        return refusal
    if is_taken:
        return Conflict(_("This parcel is in an open pickup request already."), code="in_pickup")
    misfit = misfit_of(parcel.ready, parcel.promised_by, window, now=now)
    return None if misfit is None else Conflict(misfit.message, code=misfit.code)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a parcel's hours do not suit a window: which end of it, and what the hour is."""

    pointer: str
    code: str
    hour: datetime
    message: str


def misfit_of(
    ready_at: datetime, promised_by: datetime | None, window: Window, *, now: datetime
) -> Misfit | None:
    """Return why a parcel cannot be picked up in a window that its merchant asks for; None if it can."""
    if ready_at > max(window.starts_at, now):
        params = {"at": hour_text(ready_at, window)}
        message = _("This parcel is ready at %(at)s only: begin the window then.") % params
        return Misfit("/starts_at", "not_ready", ready_at, message)
    if promised_by is not None and now < promised_by < window.ends_at:
        params = {"at": hour_text(promised_by, window)}
        message = _("The pickup of this parcel is promised by %(at)s: end the window by then.") % params
        return Misfit("/ends_at", "after_promise", promised_by, message)
    return None


@dataclass(frozen=True, slots=True)
class Progress:
    """How many parcels of a pickup are to be picked up, and were."""

    parcels: int = 0
    picked_up: int = 0
    # Not within the window, as far as it is over.
    missed: int = 0


def stage_of(state: str, window: Window, now: datetime, progress: Progress) -> PickupStage:
    """Return what a pickup looks like now.

    `window` is the one that an answer is about: agreed, asked for or proposed. Without a parcel that was not
    cancelled there is nothing to come for.
    """
    if state in {PickupState.DECLINED, PickupState.CANCELLED}:
        return PickupStage(state)
    if not progress.parcels:
        return PickupStage.CANCELLED
    if state == PickupState.ACCEPTED:
        if progress.missed and now >= window.ends_at:
            return PickupStage.MISSED
        return PickupStage.ACCEPTED if progress.picked_up < progress.parcels else PickupStage.DONE
    if now >= window.ends_at:
        return PickupStage.LAPSED
    return PickupStage(state)


def hour_text(moment: datetime, window: Window) -> str:
    """A moment by the clock of the place."""
    return date_text(local_clock(moment, window.zone), "MOMENT_FORMAT")
