"""The exception of the embedded servers, and the conversion of OSError to it."""

import errno
import getpass
from collections.abc import Iterator
from contextlib import contextmanager


class EmbeddedServerError(Exception):
    """The embedded servers cannot be used; the text is one sentence for the person at the terminal."""


@contextmanager
def describe_os_errors(task: str) -> Iterator[None]:
    """Convert an OSError inside to one sentence that begins with `task`."""
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(_sentence(task, error)) from error


def _sentence(task: str, error: OSError) -> str:
    place = error.filename or "the state folder"
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return (
            f"{task} failed: {place} cannot be written or used by {_whoami()}; "
            "give that user the folder, or set ALLIANCE_HOME to another one."
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{task} failed: no space left on the disk of {place}."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{task} failed: {place} is a file where a folder is needed; move it or set ALLIANCE_HOME."
    return f"{task} failed: {error.strerror or error} ({place})."


def _whoami() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "this user"
