"""How far the demo alliance is that `manage.py up` loads beside the running product.

Every page shows it. Where no demo is being loaded, and once it is whole, a page pays nothing for that.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError

from alliance.models import Heartbeat

# The heartbeat that says how far the demo is, and whether it was loaded to its end.
DEMO = "demo"


@dataclass(frozen=True, slots=True)
class DemoProgress:
    """The demo as it is being loaded."""

    day: int
    days: int
    # Its users are there: whoever logs in before that is not known.
    has_people: bool
    is_stopped: bool


class _Known:
    """What this process need not ask again."""

    is_whole = False


def demo_progress() -> DemoProgress | None:
    """Return how far the demo is; None where none is being loaded, and once it is whole."""
    if not settings.DEMO_LOADING or _Known.is_whole:
        return None
    try:
        heartbeat = Heartbeat.objects.filter(name=DEMO).first()
    except DatabaseError:
        # An error page of a database that is away, or of a transaction that failed.
        return None
    detail = heartbeat.detail if heartbeat else {}
    _Known.is_whole = detail.get("whole", False)
    if _Known.is_whole:
        return None
    return DemoProgress(
        day=detail.get("day", 0),
        days=detail.get("days", 0),
        has_people=detail.get("people", False),
        is_stopped=detail.get("stopped", False),
    )
