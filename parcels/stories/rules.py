"""The stories that test parcels run through: which reference begins which, and what happens when. Pure.

A closed list, of which docs/test-mode.md is the page. All of a story happens within a minute of real time. A
delivery of the real world takes hours, so a story that breaks its promise gets one of seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from parcels.choices import ScanCode, ScanReason, Story

C, R = ScanCode, ScanReason
# What a story lasts at most.
LONGEST: Final = timedelta(seconds=60)
# A reference may have more behind it, so that each parcel's is its own: TEST-LATE/4711.
_SEPARATOR: Final = "/"
# The promise of a parcel that is to break it, from its booking.
_PICKUP_BY: Final = timedelta(seconds=15)
_DELIVER_BY: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Step:
    """One scan of a story, so many seconds after the booking."""

    after: int
    code: ScanCode
    reason: str = ""
    consent: bool = False
    # At the parcel's destination, not at its origin.
    is_there: bool = True


_PICKED_UP: Final = (Step(3, C.PICKED_UP, is_there=False), Step(6, C.DEPARTED, is_there=False))
_OUT: Final = (*_PICKED_UP, Step(9, C.ARRIVED), Step(12, C.OUT_FOR_DELIVERY))
STEPS: Final[Mapping[Story, tuple[Step, ...]]] = {
    Story.DELIVERED: (*_OUT, Step(15, C.DELIVERED)),
    Story.LATE: (*_OUT, Step(35, C.DELIVERED)),
    Story.LOST: (*_PICKED_UP, Step(30, C.LOST)),
    Story.RETURNED: (
        *_OUT,
        Step(15, C.ATTEMPT_FAILED, R.CONSIGNEE_REFUSED),
        Step(20, C.RETURN_STARTED),
        Step(30, C.RETURNED, is_there=False),
    ),
    Story.SECOND_ATTEMPT: (
        *_OUT,
        Step(15, C.ATTEMPT_FAILED, R.CONSIGNEE_ABSENT),
        Step(20, C.OUT_FOR_DELIVERY),
        Step(25, C.DELIVERED),
    ),
    Story.COLLECTED: (*_OUT, Step(15, C.AVAILABLE_FOR_PICKUP, consent=True), Step(25, C.DELIVERED)),
    Story.HELD: (
        *_PICKED_UP,
        Step(9, C.HELD, R.CUSTOMS_INSPECTION),
        Step(20, C.ARRIVED),
        Step(23, C.OUT_FOR_DELIVERY),
        Step(26, C.DELIVERED),
    ),
}
_BREAK_THEIR_PROMISE: Final = frozenset({Story.LATE, Story.LOST})


def magic_reference(story: Story) -> str:
    """Return the reference that begins a story: TEST-SECOND-ATTEMPT."""
    return f"TEST-{story.value.upper().replace('_', '-')}"


_STORIES: Final = {magic_reference(story): story for story in Story}


def story_of(reference: str) -> Story | None:
    """Return the story that a parcel's reference begins; None for any other reference."""
    return _STORIES.get(reference.partition(_SEPARATOR)[0].strip().upper())


def promise_of(story: Story | None, at: datetime) -> tuple[datetime, datetime] | None:
    """Return pickup_by and deliver_by of a parcel that breaks its promise, booked at a moment.

    None for all others: these have the promise that a live parcel would have.
    """
    return (at + _PICKUP_BY, at + _DELIVER_BY) if story in _BREAK_THEIR_PROMISE else None


def due_of(story: Story, step: int, began_at: datetime) -> datetime | None:
    """Return when a step happens; None after the last one."""
    steps = STEPS[story]
    return began_at + timedelta(seconds=steps[step].after) if step < len(steps) else None
