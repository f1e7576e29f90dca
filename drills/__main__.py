"""Run a drill by its name: `python -m drills failover --seed 7`."""

import importlib
import os
import signal
import sys

NAMES = (
    "alike", "api", "chaos", "failover", "history", "labels", "practice", "restore", "rollout", "webhooks",
)  # fmt: skip


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        sys.exit(f"Which drill? {', '.join(NAMES)}")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    # A background job of a script starts with this one ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # As an exception, so that everything a drill started is stopped.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # Each is imported only when it is run: what it needs is not what the others need.
    sys.exit(importlib.import_module(f"drills.{sys.argv[1]}").main(sys.argv[2:]))


if __name__ == "__main__":
    main()
