"""Pick up all parcels of a manifest: one scan of its barcode is a `picked_up` scan of each.

What the courier says of the pickup (when, what was missing, what was handed over beside the list) is stored
first, in one transaction. Then the scans are recorded in slices: the first one at once, those of a large
manifest by a worker. A repeat after a crash goes on where it stopped, as scans with the same event id and
time are stored once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import events
from alliance.choices import Capability
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound
from alliance.file_jobs import FAILED, QUEUED, RUNNING, FileJobs, first_due, turn
from alliance.identifiers import tracking_number
from alliance.jobs import after_commit
from alliance.members.services.organisations import worker_of_organisation
from alliance.tenancy import Actor, require
from parcels.choices import ManifestState, ParcelStatus, ScanCode
from parcels.manifests.holding import put
from parcels.manifests.models import Manifest
from parcels.manifests.queries import manifest_for, parcels_on
from parcels.manifests.rules import PARCELS_A_SLICE
from parcels.manifests.services.making import locked, note
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from parcels.waiting.holding import hold
from parcels.waiting.rules import HeldParcel, not_waiting, read_number, unknown_parcel

JOBS: Final = FileJobs(
    Manifest, lambda manifest_id: after_commit("parcels.tasks.pick_up_manifest", manifest_id)
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the courier says of a pickup, beside that it was made."""

    # None: now.
    at: datetime | None = None
    missing: Sequence[str] = ()
    extra: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PickedUp:
    """A manifest after its pickup, and for each number told why it was not noted, if it was not."""

    manifest: Manifest
    missing: Sequence[AllianceError | None]
    extra: Sequence[AllianceError | None]
    # Somebody has picked it up before: nothing was changed.
    is_repeat: bool = False


def pick_up(
    *, actor: Actor, number: str, told: Told, now: datetime, parcels_a_slice: int = PARCELS_A_SLICE
) -> PickedUp:
    """Record that the courier has taken over all parcels of a manifest but those missing.

    Again, it changes nothing, but for a pickup that was interrupted: that goes on. Extra numbers that are
    wrong are refused one by one. Raises NotFound, InvalidInput for a missing number that is not on the list
    and for a time before the manifest or in the future, and Conflict for a manifest that was cancelled.
    """
    require(actor, Capability.SEND_SCANS)
    if not actor.is_courier:
        raise NotFound
    manifest = manifest_for(actor, number)
    with transaction.atomic():
        manifest = locked(manifest)
        if manifest.state == ManifestState.CANCELLED:
            raise Conflict(
                _("The merchant has cancelled this manifest: nothing was picked up."),
                code="manifest_cancelled",
            )
        if manifest.is_picked_up:
            return _again(manifest, told)
        manifest.picked_up_at = _moment(manifest, told.at or now, now)
        manifest.picked_up_by_id = actor.user_id
        missing, extra = _sort_out(manifest, told, parcels_a_slice)
        manifest.state = RUNNING
        _take_slice(actor, manifest, parcels_a_slice)
        if not manifest.is_finished:
            manifest.state, manifest.due_at = QUEUED, first_due()
            JOBS.hand_over(manifest.pk)
        manifest.save()
    return PickedUp(manifest, missing, extra)


def go_on(
    *, manifest_id: int, stretch: timedelta | None = None, parcels_a_slice: int = PARCELS_A_SLICE
) -> bool:
    """Pick up the rest of a large manifest for a limited time; return whether it needs no further task.

    May be stopped at any point, and run twice and concurrently.
    """
    return JOBS.run(manifest_id, partial(_slices, limit=parcels_a_slice), stretch)


def resume_failed(*, actor: Actor, file_id: int) -> bool:
    """Resume a failed pickup where it stopped; return whether it had failed. For ops."""
    return JOBS.resume(actor=actor, file_id=file_id)


def resume_manifests(*, now: datetime) -> int:
    """Send pickups whose worker was killed or failed a while ago to workers again; return how many."""
    return JOBS.hand_out(now=now)


def _slices(manifest: Manifest, *, limit: int) -> Iterator[None]:
    actor, place = (
        worker_of_organisation(manifest.courier_id, label=f"manifest {manifest.pk}"),
        manifest.place,
    )
    while True:
        with turn(actor, manifest, place) as row:
            _take_slice(actor, row, limit)
        if row.is_finished:
            return
        place = row.place
        yield


def _again(manifest: Manifest, told: Told) -> PickedUp:
    if manifest.state == FAILED:
        manifest.state, manifest.attempts, manifest.problem = QUEUED, 0, ""
        manifest.finished_at, manifest.due_at = None, first_due()
        manifest.save()
        JOBS.hand_over(manifest.pk)
    return PickedUp(
        manifest,
        _as_noted(manifest, told.missing, manifest.missing),
        _as_noted(manifest, told.extra, manifest.extra),
        is_repeat=True,
    )


def _as_noted(manifest: Manifest, numbers: Sequence[str], noted: Sequence[int]) -> list[AllianceError | None]:
    """What was noted by the first call stays so; what was not is refused, as parcels are on their way."""
    detail = _("This manifest was picked up at %(at)s without this being said. Scan the parcel by itself.")
    at = manifest.picked_up_at and timezone.localtime(manifest.picked_up_at).isoformat(timespec="minutes")
    known, results = set(noted), list[AllianceError | None]()
    for number in numbers:
        read = read_number(number)
        if isinstance(read, AllianceError):
            results.append(read)
        elif read in known:
            results.append(None)
        else:
            results.append(Conflict(detail % {"at": at}, code="already_picked_up"))
    return results


def _moment(manifest: Manifest, at: datetime, now: datetime) -> datetime:
    message = ""
    if at > now + timedelta(minutes=5):
        message = _("This time is in the future.")
    elif at < manifest.made_at:
        message = _("This is before the manifest was made (%(at)s).") % {
            "at": timezone.localtime(manifest.made_at).isoformat(timespec="seconds")
        }
    if message:
        raise InvalidInput(errors=[FieldError("/picked_up_at", message, "range")])
    return min(at, now)


def _sort_out(
    manifest: Manifest, told: Told, limit: int
) -> tuple[list[AllianceError | None], list[AllianceError | None]]:
    """Take missing parcels off the manifest and put those beside the list on it, before its pickup."""
    missing, extra = [[read_number(each) for each in them] for them in (told.missing, told.extra)]
    named = [each for each in (*missing, *extra) if isinstance(each, int)]
    # All that is locked in this transaction, at once and in order: cancellations lock alike.
    held = hold([*named, *(parcel_id for parcel_id, _status in parcels_on(manifest, most=limit))])
    not_found: dict[int, None] = {}
    more: dict[int, None] = {}
    refused_missing = [_missing(each, held, manifest, not_found) for each in missing]
    _require_known(told.missing, refused_missing)
    refused_extra = [_extra(each, held, manifest, not_found, more) for each in extra]
    put(not_found, None)
    put(more, manifest.pk)
    manifest.missing, manifest.extra = list(not_found), list(more)
    # Taken off, and handed over all the same.
    manifest.removed = [each for each in manifest.removed if each not in more]
    manifest.first_id = min([manifest.first_id, *more])
    manifest.last_id = max([manifest.last_id, *more])
    return refused_missing, refused_extra


def _require_known(numbers: Sequence[str], refused: Sequence[AllianceError | None]) -> None:
    """Refuse the pickup for a missing number that is none of its parcels: the one meant would be scanned."""
    errors = [
        FieldError(f"/missing_numbers/{index}", f"{number}: {each.detail}", each.reason)
        for index, (number, each) in enumerate(zip(numbers, refused, strict=True))
        if isinstance(each, NotFound | InvalidInput)
    ]
    if errors:
        raise InvalidInput(_("Nothing was picked up: a missing parcel is not known."), errors=errors)


def _missing(
    read: int | AllianceError, held: dict[int, HeldParcel], manifest: Manifest, noted: dict[int, None]
) -> AllianceError | None:
    if isinstance(read, AllianceError):
        return read
    parcel = held.get(read)
    if read in manifest.removed:
        # A paper that was printed before still has it.
        return Conflict(_("The merchant has taken this parcel off the manifest."), code="taken_off")
    if parcel is None or parcel.manifest != manifest.pk:
        return NotFound(_("This parcel is not on this manifest."), code="not_listed")
    if refusal := not_waiting(parcel.has_status):
        return refusal
    noted[read] = None
    return None


def _extra(
    read: int | AllianceError,
    held: dict[int, HeldParcel],
    manifest: Manifest,
    not_found: dict[int, None],
    noted: dict[int, None],
) -> AllianceError | None:
    if isinstance(read, AllianceError):
        return read
    parcel = held.get(read)
    if parcel is None or parcel.courier != manifest.courier_id:
        return unknown_parcel()
    if parcel.merchant != manifest.merchant_id:
        return Conflict(_("This is another merchant's parcel: scan it by itself."), code="other_merchant")
    if read in not_found:
        return Conflict(_("You say of this parcel that it is missing, too."), code="also_missing")
    if parcel.manifest == manifest.pk:
        return Conflict(_("This parcel is on the list: it is picked up with it."), code="listed")
    if refusal := not_waiting(parcel.has_status):
        return refusal
    noted[read] = None
    return None


def _take_slice(actor: Actor, manifest: Manifest, limit: int) -> None:
    """Record the scans of the next parcels; the caller saves the manifest."""
    ids = [parcel_id for parcel_id, _status in parcels_on(manifest, after=manifest.position, most=limit)]
    held = hold(ids)
    booked = [each for each in held.values() if each.has_status == ParcelStatus.BOOKED]
    refused = _scan(actor, manifest, booked)
    cancelled = sum(each.has_status == ParcelStatus.CANCELLED for each in held.values())
    manifest.cancelled += cancelled
    manifest.refused = {**manifest.refused, **refused}
    manifest.picked_up += len(held) - cancelled - len(refused)
    manifest.done += len(ids)
    if ids:
        manifest.position = ids[-1]
    if len(ids) < limit:
        manifest.finish(ManifestState.HANDED_OVER)
        note(actor, manifest, events.Topic.MANIFEST_HANDED_OVER, timezone.now())


def _scan(actor: Actor, manifest: Manifest, parcels: Sequence[HeldParcel]) -> dict[str, str]:
    """Record a scan of each; return why some were refused, by the parcel's id."""
    if not parcels or manifest.picked_up_at is None:
        return {}
    # The same id and time however often this is done, so that a scan is stored once.
    lines = [
        ScanLine(
            tracking_number(each.of_parcel),
            ScanCode.PICKED_UP.value,
            manifest.picked_up_at,
            event_id=f"manifest:{manifest.number}",
        )
        for each in parcels
    ]
    report = record_scans(actor=actor, lines=lines)
    return {str(parcels[each.index].of_parcel): each.code for each in report.rejections}
