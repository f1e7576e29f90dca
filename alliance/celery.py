"""The Celery application: workers, beat, and what beat runs when."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")

app = Celery("alliance")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Copied to the admin's schedule by migration of the database scheduler at start; ops may change it there.
app.conf.beat_schedule = {
    "heartbeat": {"task": "alliance.tasks.beat", "schedule": 15.0},
    "partitions": {"task": "alliance.tasks.make_partitions", "schedule": crontab(minute="7", hour="*/6")},
    "forget-idempotency-keys": {
        "task": "alliance.tasks.forget_idempotency_keys",
        "schedule": crontab(minute="23"),
    },
    "forget-old-events": {
        "task": "alliance.tasks.forget_old_events",
        "schedule": crontab(minute="47", hour="*/4"),
    },
    "forget-visits": {"task": "alliance.tasks.forget_visits", "schedule": crontab(minute="13", hour="4")},
    # At night; a run is bounded, and the next one goes on.
    "erase-recipients": {
        "task": "parcels.tasks.erase_recipients",
        "schedule": crontab(minute="37", hour="0-5"),
    },
    "send-application-mails": {"task": "couriers.tasks.send_waiting_mails", "schedule": 60.0},
    "forget-orphaned-files": {
        "task": "couriers.tasks.forget_orphaned_files",
        "schedule": crontab(minute="41", hour="4"),
    },
    "refresh-watch-list": {"task": "parcels.tasks.refresh_watch_list", "schedule": 300.0},
    "forget-orphaned-evidence": {
        "task": "slas.tasks.forget_orphaned_evidence",
        "schedule": crontab(minute="43", hour="4"),
    },
    "resume-booking-files": {"task": "parcels.tasks.resume_booking_files", "schedule": 60.0},
    "forget-booking-files": {
        "task": "parcels.tasks.forget_booking_files",
        "schedule": crontab(minute="47", hour="4"),
    },
    "resume-scan-files": {"task": "parcels.tasks.resume_files_of_scans", "schedule": 60.0},
    "sweep-overdue": {"task": "slas.tasks.sweep_overdue", "schedule": 30.0},
    "fold-tallies": {"task": "slas.tasks.fold_tallies", "schedule": 5.0},
    # Forecasts look at the days before today's: the more at once, the fewer cells are touched twice.
    "fold-progress": {"task": "slas.tasks.fold_progress", "schedule": 600.0},
    "tend-exports": {"task": "slas.tasks.tend_exports", "schedule": 60.0},
    "audit-rates": {"task": "slas.tasks.audit_rates", "schedule": crontab(minute="30", hour="3")},
    "refresh-scorecards": {
        "task": "slas.tasks.refresh_scorecards",
        "schedule": crontab(minute="50", hour="1"),
    },
    "work-out-credits": {"task": "slas.tasks.work_out_credits", "schedule": 30.0},
    "check-grown-credits": {"task": "slas.tasks.check_grown_credits", "schedule": crontab(minute="11")},
    "trace-lost-parcels": {
        "task": "parcels.tasks.trace_lost_parcels",
        "schedule": crontab(minute="10", hour="2"),
    },
    # On the 3rd; the days after are for one that was missed, and find nothing to close otherwise.
    "close-months": {
        "task": "slas.tasks.close_months",
        "schedule": crontab(minute="0", hour="5", day_of_month="3-9"),
    },
}
