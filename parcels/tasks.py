"""What workers do for parcels: files of scans."""

from celery import shared_task

from parcels.services import scan_files


@shared_task(acks_late=True)
def process_file_of_scans(file_id: int) -> None:
    """Work through an uploaded file. May run twice, side by side, or be killed: see the service."""
    scan_files.process_scan_file(file_id=file_id)


@shared_task(acks_late=True)
def resume_files_of_scans() -> int:
    """Give dropped files to a worker again. May run twice: a file worked on by two is worked on by one."""
    return scan_files.resume_scan_files()
