"""Test parcels go on with their stories, and are forgotten after a while."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from alliance.database.work_shares import Outages
from alliance.identifiers import parcel_id_at, tracking_number
from alliance.models import Organisation
from alliance.sandboxes import OFFSET
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.bookings.models import Parcel
from parcels.choices import ParcelStatus, Story
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from parcels.stories.models import ParcelStory
from parcels.stories.rules import STEPS, Step, due_of

# How long test parcels are kept.
KEPT: Final = timedelta(days=30)
# Stories that go on in one run, and parcels that are forgotten in one transaction.
MOST_STORIES: Final = 500
SLICE: Final = 500
# Tables of test parcels -> the column of the parcel's id; the parcel last.
_TABLES: Final = {
    **dict.fromkeys(("parcels_scan", "slas_breach", "slas_revision", "slas_commitment"), "parcel_id"),
    **dict.fromkeys(("parcels_parcelstory", "parcels_parcel"), "id"),
}


def run_stories(*, now: datetime) -> int:
    """Record the scans of stories that are due; return how many.

    May run twice, side by side, or be killed anywhere: scans and the story's next step are one transaction,
    and a story that another worker holds is left to it.
    """
    with scope(Scope.everything()):
        due = ParcelStory.objects.filter(due_at__lte=now).order_by("due_at")
        waiting = list(due.values_list("parcel_id", "merchant_id")[:MOST_STORIES])
    count, outages = 0, Outages()
    for parcel_id, sandbox_id in waiting:
        with outages.noted(), scope(Scope.merchant(sandbox_id)):
            count += _go_on(parcel_id, now)
    outages.raise_first()
    return count


def _go_on(parcel_id: int, now: datetime) -> int:
    held = ParcelStory.objects.select_for_update(no_key=True, skip_locked=True)
    story = held.filter(pk=parcel_id, due_at__lte=now).first()
    if story is None:
        return 0
    parcel = Parcel.objects.select_related("origin", "destination").filter(pk=parcel_id).first()
    if parcel is None or parcel.status == ParcelStatus.CANCELLED:
        story.due_at = None
        story.save(update_fields=["due_at"])
        return 0
    lines = list(_lines(story, parcel, now))
    record_scans(actor=Actor.system("test mode"), lines=lines, now=now)
    story.step += len(lines)
    story.due_at = due_of(Story(story.story), story.step, story.began_at)
    story.save(update_fields=["step", "due_at"])
    return len(lines)


def _lines(story: ParcelStory, parcel: Parcel, now: datetime) -> Iterator[ScanLine]:
    """The scans of the steps that are due: several, if nobody was there to record them in time."""
    steps = STEPS[Story(story.story)]
    for number in range(story.step, len(steps)):
        step, happens_at = steps[number], story.began_at + timedelta(seconds=steps[number].after)
        if happens_at > now:
            return
        yield ScanLine(
            tracking_number=tracking_number(parcel.pk),
            code=step.code,
            occurred_at=happens_at,
            event_id=f"test-{number + 1}",
            reason=step.reason or None,
            facility=_facility(step, parcel),
            consent=step.consent or None,
        )


def _facility(step: Step, parcel: Parcel) -> str:
    return (parcel.destination if step.is_there else parcel.origin).name_en


def forget_test_parcels(*, now: datetime) -> int:
    """Delete test parcels that are older than they are kept, with all that belongs to them; return how many.

    May run twice, side by side, or be killed anywhere: a slice is a transaction.
    """
    before, count = parcel_id_at(now - KEPT), 0
    with scope(Scope.everything()):
        sandboxes = list(Organisation.objects.filter(pk__gte=OFFSET).values_list("pk", flat=True))
    for sandbox_id in sandboxes:
        while (forgotten := _forget_slice(sandbox_id, before)) == SLICE:
            count += forgotten
        count += forgotten
    return count


def _forget_slice(sandbox_id: int, before: int) -> int:
    with scope(Scope.merchant(sandbox_id)):
        old = Parcel.objects.filter(merchant_id=sandbox_id, pk__lt=before).order_by("pk")
        ids = list(old.values_list("pk", flat=True)[:SLICE])
        for table, column in _TABLES.items() if ids else ():
            raw_rows(f"DELETE FROM {table} WHERE {column} = ANY(%s) RETURNING 1", [ids])  # noqa: S608
    return len(ids)
