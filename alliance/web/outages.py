"""Distinguish outages of the database and Redis, which will pass, from bugs of ours."""

import errno

import psycopg2
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import UnreadablePostError
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from alliance.errors import AllianceError, MalformedInput, Unavailable

# PostgreSQL's codes of timeouts of statements, locks and transactions, deadlocks and serialization failures.
# Others come from a server that stops, starts, recovers, or has no connection left.
_BUSY = {"57014", "55P03", "25P04", "40P01", "40001"}
_DISK_FULL = "53100"
# What the coordinator of a cluster says of a worker that does not answer it, before anything is committed.
_NODE_AWAY = "08006"
# Of our own files: a full disk; and too many open files, or a disk that fails.
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_BROKEN = {errno.EMFILE, errno.ENFILE, errno.EIO, errno.EROFS, errno.ENOMEM}
# Seconds: somebody has to make room.
_LONGER = 30


def is_busy(error: BaseException) -> bool:
    """Tell whether a statement was cancelled by a timeout or a deadlock, while the database is up."""
    return getattr(error.__cause__, "pgcode", None) in _BUSY


def outage_in(exception: BaseException) -> AllianceError | None:
    """Return the outage that an exception is, or was raised because of: other packages wrap them."""
    seen: BaseException | None = exception
    for _depth in range(10):
        if seen is None:
            return None
        if outage := outage_of(seen):
            return outage
        seen = seen.__cause__ or seen.__context__
    return None


def outage_of(exception: BaseException | None) -> AllianceError | None:
    """Return the error of an outage, or None for a bug of ours.

    The request's transaction was rolled back or never began. But if the connection broke during COMMIT, it
    may have been committed: idempotency keys and event ids make a retry safe.
    """
    match exception:
        # The timeout of a transaction on a worker comes as an internal error.
        case DatabaseError() if is_busy(exception):
            return Unavailable(_("The server is busy. Send the request again."), code="busy")
        case OperationalError() if getattr(exception.__cause__, "pgcode", None) == _DISK_FULL:
            return _full()
        case OperationalError() if getattr(exception.__cause__, "pgcode", None) == _NODE_AWAY:
            text = _(
                "The part of our storage that this needs does not answer; all else goes on. "
                "Nothing was changed: try again shortly."
            )
            return Unavailable(text)
        case DatabaseError() if type(exception.__cause__) is psycopg2.DatabaseError:
            # libpq lost the connection, and psycopg2 has no better name for it.
            return Unavailable(_("The service was interrupted. Try again shortly."))
        case OperationalError() | InterfaceError() | RedisError() | BrokerError():
            return Unavailable(_("The service was interrupted. Try again shortly."))
        case UnreadablePostError():
            return MalformedInput(_("The request ended too early."), code="cut_off")
        case OSError() if exception.errno in _NO_SPACE:
            return _full()
        case OSError() if exception.errno in _BROKEN:
            return Unavailable(_("The service was interrupted. Try again shortly."))
    return None


def _full() -> Unavailable:
    detail = _("The server has no space left. Try again later.")
    return Unavailable(detail, code="disk_full", retry_after=_LONGER)
