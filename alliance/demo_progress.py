"""The demo alliance in the database: the progress that every page shows, and whom it is served to.

`manage.py up` loads it beside the running product. Without a demo, and once it is complete, it costs pages
nothing.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection

from alliance.demo_logins import require_private
from alliance.models import Heartbeat

# The heartbeat with the progress of the demo, and whether it was loaded completely.
DEMO = "demo"


@dataclass(frozen=True, slots=True)
class DemoProgress:
    """The progress of a demo that is being loaded."""

    day: int
    days: int
    # Its users exist: before that, log-ins fail.
    has_people: bool
    is_stopped: bool


class _Known:
    """What this process need not query again."""

    is_whole = False


def demo_progress() -> DemoProgress | None:
    """Return the progress of the demo; None if none is being loaded, or once it is complete."""
    if not settings.DEMO_LOADING or _Known.is_whole:
        return None
    try:
        heartbeat = Heartbeat.objects.filter(name=DEMO).first()
    except DatabaseError:
        # This may be an error page while the database is down, or after a failed transaction.
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


def require_private_demo(*hosts: str) -> None:
    """Raise CommandError if a server would serve a demo to other machines without PUBLIC_DEMO.

    For servers started by hand: `manage.py up` looks before it starts any.
    """
    if settings.PUBLIC_DEMO:
        return
    try:
        has_demo = Heartbeat.objects.filter(name=DEMO).exists()
    except DatabaseError:
        # Nothing is served yet, and log-ins by the demo's passwords are refused at the door, too.
        has_demo = False
    finally:
        connection.close()
    if has_demo:
        require_private(*hosts)
