"""Work that goes on after an outage of the database, or of a worker of its cluster."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

from alliance.errors import Unavailable
from alliance.web.outages import outage_of

T = TypeVar("T")
# Seconds that one outage may last, and between two attempts.
PATIENCE, PAUSE = 300.0, 2.0


def patiently(work: Callable[[], T], on_wait: Callable[[Exception], None]) -> T:
    """Do work that may be done twice, again after an outage; tells `on_wait` of each failed attempt.

    Raises what the work raises, if that is no outage, or five minutes after the first failure.
    """
    began: float | None = None
    while True:
        try:
            return work()
        except Exception as error:
            began = began or time.monotonic()
            is_outage = isinstance(error, Unavailable) or outage_of(error)
            if not is_outage or time.monotonic() - began + PAUSE > PATIENCE:
                raise
            on_wait(error)
        connection.close_if_unusable_or_obsolete()
        time.sleep(PAUSE)
