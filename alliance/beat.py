"""The scheduler of beat, which watches the workers of a cluster besides."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from celery.signals import beat_init
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

from alliance.database.fencing import keep_watch

TOLERANCE = timedelta(seconds=1)


class SteadyScheduler(DatabaseScheduler):
    """Goes on when the machine's clock was set back, as when it learns the time only after the start.

    Celery counts from the last run: what ran at eight would wait until eight comes again, hours later, and
    beat started anew would do the same.
    """

    def setup_schedule(self) -> None:
        with stopping_at_once():
            super().setup_schedule()

    def tick(self, *args: Any, **named: Any) -> float:
        now = timezone.now()
        ahead = [entry for entry in (self._schedule or {}).values() if entry.last_run_at > now + TOLERANCE]
        for entry in ahead:
            entry.last_run_at = now
        if ahead:
            # Its moments are of the clock before, and so is that of the last look into the table.
            self._heap = None
            self._last_full_sync = timezone.make_naive(now)
        return float(super().tick(*args, **named))


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """Have a signal end the process by itself: there is nothing to save before there is a schedule.

    Celery would save it, and to do so begin another one in the middle of the first one's statements.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_args: sys.exit()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@beat_init.connect
def watch_workers(**_signal: Any) -> None:
    threading.Thread(target=keep_watch, name="fencing", daemon=True).start()
