"""The periodic tasks of parcels and their files."""

from typing import Final

from celery.schedules import crontab

from alliance.periodic_tasks import PeriodicTask

PERIODIC_TASKS: Final[dict[str, PeriodicTask]] = {
    # At night. The duration of a run is limited; the next one continues.
    "erase-recipients": {
        "task": "parcels.tasks.erase_recipients",
        "schedule": crontab(minute="37", hour="0-5"),
    },
    "refresh-watch-list": {"task": "parcels.tasks.refresh_watch_list", "schedule": 300.0},
    "resume-booking-files": {"task": "parcels.tasks.resume_booking_files", "schedule": 60.0},
    "forget-booking-files": {
        "task": "parcels.tasks.forget_booking_files",
        "schedule": crontab(minute="47", hour="4"),
    },
    "forget-pickups": {
        "task": "parcels.tasks.forget_pickups",
        "schedule": crontab(minute="53", hour="4"),
    },
    "count-missed-pickups": {"task": "parcels.tasks.count_missed_pickups", "schedule": 60.0},
    "count-missed-pickups-again": {
        "task": "parcels.tasks.count_missed_pickups_again",
        "schedule": crontab(minute="43"),
    },
    "resume-dry-runs": {"task": "parcels.tasks.resume_dry_runs", "schedule": 60.0},
    "resume-manifests": {"task": "parcels.tasks.resume_manifests", "schedule": 60.0},
    # On the 3rd after months were closed, it makes their freight final.
    "count-freight": {"task": "parcels.tasks.count_freight", "schedule": crontab(minute="21")},
    "resume-scan-files": {"task": "parcels.tasks.resume_files_of_scans", "schedule": 60.0},
    "trace-lost-parcels": {
        "task": "parcels.tasks.trace_lost_parcels",
        "schedule": crontab(minute="10", hour="2"),
    },
    # Each run takes most of a minute; what is sent meanwhile expires.
    "deliver-webhooks": {"task": "parcels.tasks.deliver_webhooks", "schedule": 5.0},
    # Stories have steps of three seconds.
    "run-stories": {"task": "parcels.tasks.run_stories", "schedule": 3.0},
    "forget-test-parcels": {
        "task": "parcels.tasks.forget_test_parcels",
        "schedule": crontab(minute="3", hour="4"),
    },
    "resume-replays": {"task": "parcels.tasks.resume_replays", "schedule": 60.0},
    "forget-webhooks": {"task": "parcels.tasks.forget_webhooks", "schedule": crontab(minute="33", hour="4")},
    "resume-shops": {"task": "parcels.tasks.resume_shops", "schedule": 30.0},
    "forget-shop-messages": {
        "task": "parcels.tasks.forget_shop_messages",
        "schedule": crontab(minute="41", hour="4"),
    },
}
