"""The schedule of beat. Each app has a module of this name for its own tasks."""

from typing import Final, TypedDict

from celery.schedules import crontab

from alliance.registry import Registry


class PeriodicTask(TypedDict):
    """A task by name, with its interval in seconds or its crontab."""

    task: str
    schedule: float | crontab


# The database scheduler copies it to the admin's schedule when beat starts; there, jobs are paused.
SCHEDULE: Final[Registry[str, PeriodicTask]] = Registry(
    "periodic task",
    {
        "heartbeat": {"task": "alliance.tasks.beat", "schedule": 15.0},
        "disks": {"task": "alliance.tasks.watch_disks", "schedule": 60.0},
        "backups": {"task": "alliance.tasks.watch_backups", "schedule": 300.0},
        "send-mails": {"task": "alliance.tasks.send_waiting_mails", "schedule": 60.0},
        "partitions": {"task": "alliance.tasks.make_partitions", "schedule": crontab(minute="7", hour="*/6")},
        "forget-idempotency-keys": {
            "task": "alliance.tasks.forget_idempotency_keys",
            "schedule": crontab(minute="23"),
        },
        "forget-old-events": {
            "task": "alliance.tasks.forget_old_events",
            "schedule": crontab(minute="47", hour="*/4"),
        },
        "drop-old-calls": {
            "task": "alliance.tasks.drop_old_calls",
            "schedule": crontab(minute="33", hour="*/6"),
        },
        "warn-of-ending-keys": {
            "task": "alliance.tasks.warn_of_ending_keys",
            "schedule": crontab(minute="37", hour="*/3"),
        },
        "forget-visits": {"task": "alliance.tasks.forget_visits", "schedule": crontab(minute="13", hour="4")},
    },
)
