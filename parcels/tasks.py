"""Celery tasks of parcels: files, the watch list, lost parcels, erasure."""

from celery import shared_task
from django.utils import timezone

from alliance.file_jobs import STRETCH
from alliance.health import note_heartbeat
from alliance.jobs import AFTER_OUTAGES
from parcels.booking_files.services import files as booking_files
from parcels.booking_files.services import retention
from parcels.dry_runs import services as dry_runs
from parcels.freight.services import counting
from parcels.manifests.services import picking_up
from parcels.pickups.services import counting as pickup_counting
from parcels.pickups.services.retention import forget_old_pickups
from parcels.recipients.services.retention import forget_unused
from parcels.retention import erasing
from parcels.sandboxes import services as sandboxes
from parcels.scan_files import services as scan_files
from parcels.scans import lost_parcels
from parcels.shops.services import taking
from parcels.shops.services.retention import forget_shop_messages as forget_messages_of_shops
from parcels.watch_list import services as watch_list
from parcels.webhooks.services import delivering, replaying
from parcels.webhooks.services.retention import forget_old_webhooks

DELIVERING_SECONDS = 50.0


@shared_task(acks_late=True, **AFTER_OUTAGES)
def process_file_of_scans(file_id: int) -> None:
    """Process an uploaded file for a minute. May run twice, concurrently, or be killed."""
    scan_files.process_scan_file(file_id=file_id, stretch=STRETCH)


@shared_task(acks_late=True)
def resume_files_of_scans() -> int:
    """Queue files that are due. May run twice: each is queued once."""
    return scan_files.resume_scan_files(now=timezone.now())


@shared_task(acks_late=True)
def run_stories() -> int:
    """Record the scans of test parcels that are due. May run twice, concurrently, or be killed."""
    return sandboxes.run_stories(now=timezone.now())


@shared_task(acks_late=True)
def forget_test_parcels() -> int:
    """Delete old test parcels in slices. May run twice, concurrently, or be killed."""
    return sandboxes.forget_test_parcels(now=timezone.now())


@shared_task(acks_late=True, **AFTER_OUTAGES)
def book_file(file_id: int) -> None:
    """Book an uploaded file for a minute. May run twice, concurrently, or be killed."""
    booking_files.book_file(file_id=file_id, stretch=STRETCH)


@shared_task(acks_late=True, **AFTER_OUTAGES)
def count_dry_run(run_id: int) -> None:
    """Try allocation rules on past bookings for a minute. May run twice, concurrently, or be killed."""
    dry_runs.count_dry_run(run_id=run_id, stretch=STRETCH)


@shared_task(acks_late=True)
def count_freight() -> int:
    """Count the freight of days that are not final. May run twice, concurrently, or be killed."""
    return counting.count_freight(now=timezone.now())


@shared_task(acks_late=True)
def resume_dry_runs() -> int:
    """Queue dry runs that are due. May run twice: each is queued once."""
    return dry_runs.resume_dry_runs(now=timezone.now())


@shared_task(acks_late=True, **AFTER_OUTAGES)
def pick_up_manifest(manifest_id: int) -> None:
    """Pick up a large manifest for a minute. May run twice, concurrently, or be killed."""
    picking_up.go_on(manifest_id=manifest_id, stretch=STRETCH)


@shared_task(acks_late=True)
def resume_manifests() -> int:
    """Queue pickups that are due. May run twice: each is queued once."""
    return picking_up.resume_manifests(now=timezone.now())


@shared_task(acks_late=True)
def resume_booking_files() -> int:
    """Queue files that are due. May run twice: each is queued once."""
    return booking_files.resume_booking_files(now=timezone.now())


@shared_task(acks_late=True)
def forget_booking_files() -> int:
    """Delete old booking files and the remains of uploads. May run twice: it deletes what is left."""
    return retention.forget_booking_files(now=timezone.now())


@shared_task(acks_late=True)
def forget_pickups() -> int:
    """Delete old pickup requests. May run twice: it deletes what is left."""
    return forget_old_pickups(now=timezone.now())


@shared_task(acks_late=True)
def count_missed_pickups() -> int:
    """Count what was missed in windows that ended. May run twice: a count replaces the one before."""
    return pickup_counting.count_missed(now=timezone.now())


@shared_task(acks_late=True)
def count_missed_pickups_again() -> int:
    """Count again what was missed lately. May run twice: a count replaces the one before."""
    return pickup_counting.count_missed_again(now=timezone.now())


@shared_task(acks_late=True)
def refresh_watch_list() -> int:
    """Recompute the watch list. May run twice, concurrently, or be killed."""
    return watch_list.refresh_watch_list(now=timezone.now()).listed


@shared_task(acks_late=True)
def trace_lost_parcels() -> int:
    """Mark silent parcels as lost and unmark found ones. May run twice: see the service."""
    traced = lost_parcels.trace_lost_parcels(now=timezone.now())
    if not traced.busy:
        note_heartbeat("trace-lost-parcels", lost=traced.lost, found=traced.found)
    return traced.lost


@shared_task(acks_late=True)
def erase_recipients() -> int:
    """Erase recipients of parcels that ended long ago, and saved ones that nobody used for long.

    May run twice, concurrently, or be killed.
    """
    now = timezone.now()
    forget_unused(now=now)
    erased = erasing.erase_due(now=now)
    note_heartbeat("erase-recipients", erased=erased)
    return erased


@shared_task(acks_late=True, expires=5)
def deliver_webhooks() -> int:
    """Send webhooks for most of a minute. May run twice, side by side, or be killed anywhere.

    What beat sends meanwhile expires; the next run follows within seconds.
    """
    return delivering.deliver(seconds=DELIVERING_SECONDS)


@shared_task(acks_late=True, **AFTER_OUTAGES)
def replay_webhooks(replay_id: int) -> None:
    """Prepare a replay for a minute. May run twice, concurrently, or be killed."""
    replaying.prepare_replay(replay_id=replay_id, stretch=STRETCH)


@shared_task(acks_late=True)
def resume_replays() -> int:
    """Queue replays that are due. May run twice: each is queued once."""
    return replaying.resume_replays(now=timezone.now())


@shared_task(acks_late=True)
def forget_webhooks() -> int:
    """Delete old deliveries of webhooks. May run twice, concurrently, or be killed."""
    return forget_old_webhooks(now=timezone.now())


@shared_task(acks_late=True, **AFTER_OUTAGES)
def take_shop_messages(shop_id: int) -> None:
    """Take what a shop has sent for a minute. May run twice, side by side, or be killed."""
    taking.take_messages(shop_id=shop_id, stretch=STRETCH)


@shared_task(acks_late=True)
def resume_shops() -> int:
    """Send shops to workers whose messages wait. May run twice: each message is taken once."""
    return taking.resume_shops(now=timezone.now())


@shared_task(acks_late=True)
def forget_shop_messages() -> int:
    """Delete old messages of shops. May run twice, concurrently, or be killed."""
    return forget_messages_of_shops(now=timezone.now())
