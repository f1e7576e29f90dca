"""Files whose slices fail: the same for every kind of file that workers read or write."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone

from alliance.file_jobs import MOST_ATTEMPTS, FileJob
from alliance.tenancy import Scope, scope

MINUTE = timedelta(minutes=1)


def fail_at_every_attempt(
    file: FileJob, work: Callable[[], bool], sweep: Callable[[datetime], int]
) -> FileJob:
    """Work on a file that fails each time, when beat hands it out; check how long it waits in between."""
    waits = []
    for attempt in range(1, MOST_ATTEMPTS + 1):
        began = timezone.now()
        assert work() is (attempt == MOST_ATTEMPTS)
        with scope(Scope.everything()):
            file = type(file)._default_manager.get(pk=file.pk)
        assert (file.attempts, bool(file.problem)) == (attempt, True)
        if attempt < MOST_ATTEMPTS:
            waits.append(round((file.due_at - began) / MINUTE))
            assert sweep(file.due_at - timedelta(seconds=1)) == 0
            assert sweep(file.due_at) == 1
    assert waits == [2, 4, 8, 16]
    assert (file.state, sweep(timezone.now() + timedelta(days=1))) == ("failed", 0)
    return file
