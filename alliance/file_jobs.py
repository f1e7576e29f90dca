"""Files that workers read or write in slices: claim, work on a slice, count failures, resume, give up.

Before a slice, a claim counts an attempt and sets when the file is due again. A successful slice resets the
count in its own transaction. So a slice that raises and a killed worker are the same case: the position of
the file is unchanged, and beat's sweeper sends it to a worker once it is due, with growing waits.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import structlog
from django.db import Error, InterfaceError, OperationalError, models
from django.db.models import F
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.choices import Capability
from alliance.errors import AllianceError, Unavailable
from alliance.tenancy import Actor, Scope, require, scope
from alliance.web.outages import is_busy

MOST_ATTEMPTS: Final = 5
# The wait after the first attempt; doubled after each further one. Longer than a slice takes.
FIRST_WAIT: Final = timedelta(minutes=2)
# The wait of a file that nobody has begun, as its task may be lost with the answer to its upload. Shorter,
# since a task too many does no harm.
NEW_WAIT: Final = timedelta(seconds=30)
# After this time a worker sends the file to the end of the queue, and takes the next task.
STRETCH: Final = timedelta(seconds=60)
QUEUED, RUNNING, FAILED = "queued", "running", "failed"
UNFINISHED: Final = (QUEUED, RUNNING)
log = structlog.get_logger(__name__)
_WAITING: Final = gettext_lazy("Waiting for a part of our storage that does not answer.")
_WENT_WRONG: Final = gettext_lazy("Something went wrong on our side. Rows already processed: %(rows)d.")
# As after a restore to a moment before it was finished: it has been deleted since.
_FILE_IS_GONE: Final = gettext_lazy(
    "A file that this needs is gone: upload it or ask for it again. Rows already processed: %(rows)d."
)


class Overtaken(Exception):
    """Another worker has continued the file, or a user has cancelled it."""


def first_due() -> datetime:
    """Return when the sweeper may send a new file: before that, its first task may still be queued."""
    return timezone.now() + NEW_WAIT


class FileJob(models.Model):
    """A file that workers read or write in slices. Apps may add states to QUEUED, RUNNING and FAILED."""

    # Columns that each app's model defines.
    state: "models.Field[Any, Any]"
    done: "models.Field[Any, Any]"

    # Texts in the file are in the language of the user who requested it.
    language = models.CharField(gettext_lazy("language"), max_length=12)
    # Attempts at the current slice.
    attempts = models.PositiveSmallIntegerField(gettext_lazy("attempts"), default=0)
    due_at = models.DateTimeField(gettext_lazy("next attempt"), default=first_due)
    finished_at = models.DateTimeField(gettext_lazy("finished"), null=True, blank=True)
    # The cause of the failure; of an unfinished file, the failure of its last attempt, or what it waits for.
    problem = models.CharField(gettext_lazy("problem"), max_length=300, blank=True)

    class Meta:
        abstract = True

    @property
    def place(self) -> object:
        """The position in the file; it changes with each slice."""
        raise NotImplementedError

    @property
    def is_finished(self) -> bool:
        return self.state not in UNFINISHED

    def finish(self, state: str, problem: str = "") -> None:
        """Mark the file as done, failed or cancelled; the caller saves."""
        self.state, self.problem, self.finished_at = state, problem[:300], timezone.now()
        if state == FAILED:
            log.warning("file_job_failed", model=type(self).__name__, file=self.pk, problem=problem)


J = TypeVar("J", bound=FileJob)


@contextmanager
def turn(actor: Actor, file: J, place: object) -> Iterator[J]:
    """Lock the file's row for the slice that begins at `place`, and save the new position afterwards.

    Runs in one transaction in the actor's scope. Raises Overtaken if the position has changed meanwhile.
    """
    with scope(Scope.of(actor)):
        row: J = type(file)._default_manager.select_for_update(no_key=True).get(pk=file.pk)
        if row.is_finished or row.place != place:
            raise Overtaken
        yield row
        if not row.is_finished:
            row.state, row.problem = RUNNING, ""
        row.attempts, row.due_at = 0, timezone.now() + FIRST_WAIT
        row.save()


@dataclass(frozen=True, slots=True)
class FileJobs(Generic[J]):
    """The files of one model, and the task that works on them."""

    model: type[J]
    hand_over: Callable[[int], None]

    def run(
        self, file_id: int, slices: Callable[[J], Iterator[None]], stretch: timedelta | None = None
    ) -> bool:
        """Work on a file from its position for a limited time; return whether it needs no further task.

        `slices` works on one slice for each item it yields. May be killed at any point, and run twice and
        concurrently. Raises when the database is down.
        """
        began = time.monotonic()
        file = self._claim(file_id)
        if file is None:
            return True
        with translation.override(file.language):
            try:
                for _slice in slices(file):
                    if stretch is not None and time.monotonic() - began > stretch.total_seconds():
                        self.hand_over(file_id)
                        return False
                    if self._claim(file_id) is None:
                        break
            except Overtaken:
                return True
            except (OperationalError, InterfaceError) as error:
                # A statement timeout counts: the slice may take too long each time.
                if is_busy(error):
                    return self._note_exception(file_id)
                # An outage is no failure of the file. While it lasts, the attempt cannot be uncounted.
                with suppress(Error):
                    self._uncount(file_id, problem=str(_WAITING))
                raise
            except AllianceError as error:
                if error.retry_after is None:
                    return self._note(file_id, error.detail)
                # The sweeper queues it again then: at once, a busy worker would do nothing else.
                said = {"problem": str(_WAITING)} if isinstance(error, Unavailable) else {}
                self._uncount(file_id, due_at=timezone.now() + timedelta(seconds=error.retry_after), **said)
                return False
            except FileNotFoundError:
                # Tried again like any other failure: the folder's disk may be away for a while.
                return self._note_exception(file_id, _FILE_IS_GONE)
            except Exception:
                return self._note_exception(file_id)
        return True

    def hand_out(self, *, now: datetime) -> int:
        """Send due files to workers; return how many. Fail files whose worker was killed at every attempt."""
        handed_out = 0
        with scope(Scope.everything()):
            # A worker is working on a locked row.
            rows = self.model._default_manager.select_for_update(skip_locked=True, no_key=True)
            for file in rows.filter(state__in=UNFINISHED, due_at__lte=now):
                if file.attempts >= MOST_ATTEMPTS:
                    with translation.override(file.language):
                        problem = _("Started %(times)d times and never finished.")
                        file.finish(FAILED, problem % {"times": file.attempts})
                else:
                    self.hand_over(file.pk)
                    handed_out += 1
                    file.due_at = now + FIRST_WAIT
                file.save()
        return handed_out

    def resume(self, *, actor: Actor, file_id: int, **conditions: Any) -> bool:
        """Resume a failed file where it stopped; return whether it had failed. For ops."""
        require(actor, Capability.OPERATE)
        files = self.model._default_manager.filter(pk=file_id, state=FAILED, **conditions)
        count = files.update(state=QUEUED, attempts=0, problem="", finished_at=None, due_at=first_due())
        if count:
            self.hand_over(file_id)
        return bool(count)

    def _claim(self, file_id: int) -> J | None:
        """Count an attempt and set when the next is due; None if this worker must not work on the file."""
        with scope(Scope.everything()):
            rows = self.model._default_manager.select_for_update(no_key=True)
            file: J | None = rows.filter(pk=file_id, state__in=UNFINISHED).first()
            # No attempt left: another worker is working on it, or the sweeper fails it once it is due.
            if file is None or file.attempts >= MOST_ATTEMPTS:
                return None
            file.due_at = timezone.now() + FIRST_WAIT * 2**file.attempts
            file.attempts += 1
            file.save(update_fields=["attempts", "due_at"])
            return file

    def _uncount(self, file_id: int, **fields: Any) -> None:
        with scope(Scope.everything()):
            begun = self.model._default_manager.filter(pk=file_id, attempts__gt=0)
            begun.update(attempts=F("attempts") - 1, **fields)

    def _note_exception(self, file_id: int, text: str | Promise = _WENT_WRONG) -> bool:
        log.exception("slice_failed", model=self.model.__name__, file=file_id)
        return self._note(file_id, text=text)

    def _note(self, file_id: int, problem: str = "", *, text: str | Promise = _WENT_WRONG) -> bool:
        """Record a failed attempt; with a `problem`, which no retry can solve, fail the file at once."""
        with scope(Scope.everything()):
            file = self.model._default_manager.select_for_update(no_key=True).get(pk=file_id)
            # Another worker may have finished the file meanwhile, and deleted the upload.
            if file.is_finished:
                return True
            file.problem = str(text) % {"rows": file.done}
            if problem or file.attempts >= MOST_ATTEMPTS:
                file.finish(FAILED, problem or file.problem)
            file.save()
            return file.is_finished
