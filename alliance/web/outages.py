"""Telling a fault of ours from something that is away, or busy, and will be back."""

from django.db import InterfaceError, OperationalError
from django.http import UnreadablePostError
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from alliance.errors import AllianceError, MalformedInput, Unavailable

# PostgreSQL's codes: a statement or a wait for a lock took longer than requests are given, or two waited for
# each other. The others are of a server that stops, starts, recovers, or has no connection left.
_BUSY = {"57014", "55P03", "40P01", "40001"}


def is_busy(error: BaseException) -> bool:
    """Tell whether a statement was cut off by a limit or a deadlock, while the database itself is there."""
    return getattr(error.__cause__, "pgcode", None) in _BUSY


def outage_of(raised: BaseException | None) -> AllianceError | None:
    """Return what to answer where something we need is away, or None for a fault of ours.

    The request's transaction was rolled back, or never began; but one that was cut off in its commit may
    have been done, which is what idempotency keys and event ids are for.
    """
    match raised:
        case OperationalError() if is_busy(raised):
            return Unavailable(_("The server is busy. Send the request again."), code="busy")
        case OperationalError() | InterfaceError() | RedisError() | BrokerError():
            return Unavailable(_("The service was interrupted. Try again shortly."))
        case UnreadablePostError():
            return MalformedInput(_("The request ended too early."), code="cut_off")
    return None
