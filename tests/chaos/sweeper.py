"""A sweep beside those of the workers, few rows a transaction: `python -m tests.chaos.sweeper SEED`."""

import random
import sys
import time

import django


def main() -> None:
    django.setup()
    from django.utils import timezone  # noqa: PLC0415 -- after django.setup()

    from slas.commitments.services.sweeping import sweep_overdue  # noqa: PLC0415

    source = random.Random(sys.argv[1])
    sys.stdout.write("ready\n")
    while True:
        sweep_overdue(now=timezone.now(), limit=source.randint(1, 40))
        time.sleep(source.uniform(0.0, 0.2))


if __name__ == "__main__":
    main()
