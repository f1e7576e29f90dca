"""Files that workers read or write in slices: claim, work a slice, count failures, resume, give up.

Before a slice, a claim counts an attempt and says when the file is due again. A slice that succeeds resets
the count in its own transaction. So a slice that raises and a worker that is killed are one case: the file
stands where it stood, and beat's sweeper hands it out once it is due, each time after a longer wait.
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
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.choices import Capability
from alliance.errors import AllianceError
from alliance.tenancy import Actor, Scope, require, scope
from alliance.web.outages import is_busy

MOST_ATTEMPTS: Final = 5
# After the first attempt; twice as long after each further one. A slice takes less.
FIRST_WAIT: Final = timedelta(minutes=2)
# After so long a worker takes the next task, and the file queues up again behind what others wait for.
STRETCH: Final = timedelta(seconds=60)
QUEUED, RUNNING, FAILED = "queued", "running", "failed"
UNFINISHED: Final = (QUEUED, RUNNING)
log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """Another worker has gone on with the file, or somebody has cancelled it."""


def first_due() -> datetime:
    """When a new file is due again: until then, its first task is on its way."""
    return timezone.now() + FIRST_WAIT


class FileJob(models.Model):
    """A file that workers read or write in slices. Each app says which states there are besides ours."""

    # Columns of each app's own.
    state: "models.Field[Any, Any]"
    done: "models.Field[Any, Any]"

    # Whatever is written for the person who asked is in their language.
    language = models.CharField(gettext_lazy("language"), max_length=12)
    # How often the slice at hand was begun.
    attempts = models.PositiveSmallIntegerField(gettext_lazy("attempts"), default=0)
    due_at = models.DateTimeField(gettext_lazy("next attempt"), default=first_due)
    finished_at = models.DateTimeField(gettext_lazy("finished"), null=True, blank=True)
    # Why it failed; while it is unfinished, why the last attempt did.
    problem = models.CharField(gettext_lazy("problem"), max_length=300, blank=True)

    class Meta:
        abstract = True

    @property
    def place(self) -> object:
        """How far the file is: changes with each slice."""
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
    """Lock the file's row for the slice that begins at `place`, and save how far it is afterwards.

    All in one transaction in the actor's scope. Raises Overtaken when the file is elsewhere by now.
    """
    with scope(Scope.of(actor)):
        row: J = type(file)._default_manager.select_for_update(no_key=True).get(pk=file.pk)
        if row.is_finished or row.place != place:
            raise Overtaken
        yield row
        if not row.is_finished:
            row.state, row.problem = RUNNING, ""
        row.attempts, row.due_at = 0, first_due()
        row.save()


@dataclass(frozen=True, slots=True)
class FileJobs(Generic[J]):
    """The files of one model, and how one of them is sent to a worker."""

    model: type[J]
    hand_over: Callable[[int], None]

    def run(
        self, file_id: int, slices: Callable[[J], Iterator[None]], stretch: timedelta | None = None
    ) -> bool:
        """Work on a file from where it stands, for as long as told; return whether nothing is left to do.

        `slices` works one slice each time it is asked for the next. May be killed anywhere, and run twice
        side by side. Raises when the database is away.
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
                # A slice may be what the database cannot do in time: that counts.
                if is_busy(error):
                    return self._note_exception(file_id)
                # Not the file's failure. While the database is still away, the attempt stays counted.
                with suppress(Error):
                    self._uncount(file_id)
                raise
            except AllianceError as error:
                if error.retry_after is None:
                    return self._note(file_id, error.detail)
                self._uncount(file_id)
                self.hand_over(file_id)
                return False
            except Exception:
                return self._note_exception(file_id)
        return True

    def hand_out(self, *, now: datetime) -> int:
        """Send what is due to workers; return how many. Fail what was killed at each of its attempts."""
        handed_out = 0
        with scope(Scope.everything()):
            # A locked row is in a worker's hands.
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

    def resume(self, *, actor: Actor, file_id: int, **kept: Any) -> bool:
        """Have a failed file gone on with from where it stopped; return whether it was one. For ops."""
        require(actor, Capability.OPERATE)
        failed = self.model._default_manager.filter(pk=file_id, state=FAILED, **kept)
        resumed = failed.update(state=QUEUED, attempts=0, problem="", finished_at=None, due_at=first_due())
        if resumed:
            self.hand_over(file_id)
        return bool(resumed)

    def _claim(self, file_id: int) -> J | None:
        """Count an attempt and say when the next is due; None when the file needs none from here."""
        with scope(Scope.everything()):
            rows = self.model._default_manager.select_for_update(no_key=True)
            file: J | None = rows.filter(pk=file_id, state__in=UNFINISHED).first()
            # At the last attempt: others are at work, or the sweeper fails it once it is due.
            if file is None or file.attempts >= MOST_ATTEMPTS:
                return None
            file.due_at = timezone.now() + FIRST_WAIT * 2**file.attempts
            file.attempts += 1
            file.save(update_fields=["attempts", "due_at"])
            return file

    def _uncount(self, file_id: int) -> None:
        with scope(Scope.everything()):
            begun = self.model._default_manager.filter(pk=file_id, attempts__gt=0)
            begun.update(attempts=F("attempts") - 1)

    def _note_exception(self, file_id: int) -> bool:
        log.exception("slice_failed", model=self.model.__name__, file=file_id)
        return self._note(file_id)

    def _note(self, file_id: int, problem: str = "") -> bool:
        """Write down that an attempt failed; a `problem` of the file's own fails it at once."""
        with scope(Scope.everything()):
            file = self.model._default_manager.select_for_update(no_key=True).get(pk=file_id)
            # Another worker may have finished it meanwhile, and taken the upload away.
            if file.is_finished:
                return True
            file.problem = _("Something went wrong on our side. Rows already processed: %(rows)d.") % {
                "rows": file.done
            }
            if problem or file.attempts >= MOST_ATTEMPTS:
                file.finish(FAILED, problem or file.problem)
            file.save()
            return file.is_finished
