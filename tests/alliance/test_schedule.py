"""What beat runs, as a program of its own. That every periodic task has an entry: see test_jobs.py."""

import subprocess
import sys

from django.conf import settings

from alliance.celery import app


def test_beat_as_a_program_of_its_own_finds_the_tasks_of_all_apps() -> None:
    """It imports the application before Django is set up, and so before any app is ready."""
    listing = "from alliance.celery import app; app.loader.init_worker(); print(*app.conf.beat_schedule)"
    process = subprocess.run(
        [sys.executable, "-c", listing], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert set(process.stdout.split()) == set(app.conf.beat_schedule)
