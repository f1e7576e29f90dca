"""What beat does, many times as often: `python -m tests.chaos.beats SEED`."""

import random
import sys
import time

import django

OFTEN = ("slas.tasks.sweep_overdue", "slas.tasks.fold_tallies", "slas.tasks.work_out_credits")
AT_TIMES = (
    "parcels.tasks.refresh_watch_list",
    "parcels.tasks.trace_lost_parcels",
    "slas.tasks.fold_progress",
    "slas.tasks.check_grown_credits",
)
# Seconds after which a task nobody took is dropped: beat sends the next one anyway.
EXPIRES = 5


def main() -> None:
    django.setup()
    from alliance.celery import app  # noqa: PLC0415 -- needs the settings

    source = random.Random(sys.argv[1])
    sys.stdout.write("ready\n")
    while True:
        name = source.choice(OFTEN if source.random() < 0.9 else AT_TIMES)
        app.send_task(name, expires=EXPIRES)
        time.sleep(source.uniform(0.02, 0.3))


if __name__ == "__main__":
    main()
