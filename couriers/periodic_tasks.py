"""The periodic tasks of couriers."""

from typing import Final

from celery.schedules import crontab

from alliance.periodic_tasks import PeriodicTask

PERIODIC_TASKS: Final[dict[str, PeriodicTask]] = {
    "send-application-mails": {"task": "couriers.tasks.send_waiting_mails", "schedule": 60.0},
    "forget-orphaned-files": {
        "task": "couriers.tasks.forget_orphaned_files",
        "schedule": crontab(minute="41", hour="4"),
    },
}
