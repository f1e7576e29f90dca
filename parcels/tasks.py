"""What workers do for parcels: files of scans, the watch list."""

from celery import shared_task
from django.utils import timezone

from parcels.services import scan_files, watching


@shared_task(acks_late=True)
def process_file_of_scans(file_id: int) -> None:
    """Work through an uploaded file. May run twice, side by side, or be killed: see the service."""
    scan_files.process_scan_file(file_id=file_id)


@shared_task(acks_late=True)
def resume_files_of_scans() -> int:
    """Give dropped files to a worker again. May run twice: a file worked on by two is worked on by one."""
    return scan_files.resume_scan_files()


@shared_task(acks_late=True)
def refresh_watch_list() -> int:
    """Work out what should be looked at. May run twice, side by side, or be killed, too."""
    return watching.refresh_watch_list(now=timezone.now()).listed
