"""What beat runs: every entry names a task that exists, and every periodic task of ours has an entry."""

import subprocess
import sys

from django.conf import settings

from alliance.celery import app

# Tasks that something else sends, not beat.
SENT = {
    "couriers.tasks.mail_application_event",
    "parcels.tasks.book_file",
    "parcels.tasks.process_file_of_scans",
    "slas.tasks.write_export",
}


def test_beat_runs_every_periodic_task_and_no_other() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled == ours - SENT


def test_beat_as_a_program_of_its_own_finds_the_tasks_of_all_apps() -> None:
    """It imports the application before Django is set up, and so before any app is ready."""
    listing = "from alliance.celery import app; app.loader.init_worker(); print(*app.conf.beat_schedule)"
    started = subprocess.run(
        [sys.executable, "-c", listing], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert set(started.stdout.split()) == set(app.conf.beat_schedule)
