"""The periodic tasks of promises, rates and credits, and their schedules."""

from typing import Final

from celery.schedules import crontab

from alliance.periodic_tasks import PeriodicTask

PERIODIC_TASKS: Final[dict[str, PeriodicTask]] = {
    "forget-orphaned-evidence": {
        "task": "slas.tasks.forget_orphaned_evidence",
        "schedule": crontab(minute="43", hour="4"),
    },
    "sweep-overdue": {"task": "slas.tasks.sweep_overdue", "schedule": 30.0},
    "fold-tallies": {"task": "slas.tasks.fold_tallies", "schedule": 5.0},
    "spread-homes": {"task": "slas.tasks.spread_homes", "schedule": crontab(minute="20", hour="2")},
    # Forecasts read the days before today: larger batches touch fewer cells twice.
    "fold-progress": {"task": "slas.tasks.fold_progress", "schedule": 600.0},
    "resume-offer-files": {"task": "slas.tasks.resume_files_of_offers", "schedule": 60.0},
    "forget-offer-files": {
        "task": "slas.tasks.forget_files_of_offers",
        "schedule": crontab(minute="53", hour="4"),
    },
    "tend-exports": {"task": "slas.tasks.tend_exports", "schedule": 60.0},
    "audit-rates": {"task": "slas.tasks.audit_rates", "schedule": crontab(minute="30", hour="3")},
    "refresh-scorecards": {
        "task": "slas.tasks.refresh_scorecards",
        "schedule": crontab(minute="50", hour="1"),
    },
    "work-out-credits": {"task": "slas.tasks.work_out_credits", "schedule": 30.0},
    "check-grown-credits": {"task": "slas.tasks.check_grown_credits", "schedule": crontab(minute="11")},
    # On the 3rd; the later days are for a missed run, and otherwise find nothing to close.
    "close-months": {
        "task": "slas.tasks.close_months",
        "schedule": crontab(minute="0", hour="5", day_of_month="3-9"),
    },
}
