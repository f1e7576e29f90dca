"""Beat goes by the clock, also by one that was set back."""

import os
import signal
from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from alliance.beat import SteadyScheduler
from alliance.celery import app

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the scheduler has sent."""
    names: list[str] = []
    monkeypatch.setattr(
        SteadyScheduler, "apply_entry", lambda _self, entry, producer=None: names.append(entry.name)
    )
    # They would close the test's connection.
    for name in ("sync", "schedule_changed"):
        monkeypatch.setattr(SteadyScheduler, name, lambda _self: False)
    return names


def scheduler_of(*, last_run: timedelta) -> SteadyScheduler:
    """Return a scheduler of one task that is due each second, and ran last so long from now."""
    PeriodicTask.objects.all().delete()
    PeriodicTask.objects.create(
        name="each second",
        task="alliance.tasks.beat",
        interval=IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS),
        last_run_at=timezone.now() + last_run,
    )
    scheduler = SteadyScheduler(app=app, lazy=True)
    # It is read at the first look, and looked at from the second on.
    scheduler.tick()
    return scheduler


def test_task_that_is_due_is_sent(sent: list[str]) -> None:
    scheduler_of(last_run=timedelta(minutes=-1))
    assert sent == ["each second"]


def test_clock_that_was_set_back_keeps_no_task_waiting(sent: list[str]) -> None:
    scheduler = scheduler_of(last_run=timedelta(hours=8))
    assert sent == []
    # At the next look it is known, and due an interval after.
    assert scheduler.tick() <= 1
    entry = scheduler._schedule["each second"]
    entry.last_run_at -= timedelta(seconds=2)
    scheduler._heap = None
    scheduler.tick()
    assert sent == ["each second"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_before_there_is_a_schedule_ends_beat_at_once(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatabaseScheduler, "setup_schedule", lambda _self: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    with pytest.raises(SystemExit):
        SteadyScheduler(app=app)
    assert signal.getsignal(number) is before
