"""What beat runs: every entry names a task that exists, and every periodic task of ours has an entry."""

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
