"""Workers, beat, a sweeper and clients are killed at random, again and again; afterwards everything agrees.

A few seconds of it in every run of the tests; `make chaos` is a whole minute. A seed gives the same kills in
the same order, not at the same moments of what they interrupt.
"""

import os
import random
import sys
import time
from pathlib import Path

import pytest
from django.utils import timezone

from alliance.tenancy import Scope, scope
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.services.entries import work_out_credits
from slas.forecasts.services.folding import fold_progress
from slas.models import Commitment, CreditCheck, Tally
from slas.rates.services.folding import fold_tallies
from tests.chaos import programs, stage, verdict

SECONDS = float(os.environ.get("CHAOS_SECONDS", "12"))
CLIENTS = 3
DRAINED_WITHIN = 90.0


@pytest.mark.chaos
@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_or_counted_twice_whoever_is_killed_when(tmp_path: Path) -> None:
    seed = os.environ.get("CHAOS_SEED", "20261122")
    stage.populate()
    with stage.own_valkey(tmp_path) as redis_url:
        environment = stage.environment(redis_url)
        workers = [programs.worker(f"worker-{number}", environment, tmp_path) for number in (1, 2)]
        beats = programs.script("beats", environment, tmp_path, seed)
        sweeper = programs.script("sweeper", environment, tmp_path, seed)
        clients = [
            programs.script("clients", environment, tmp_path, number, seed, tmp_path)
            for number in range(CLIENTS)
        ]
        everybody = [*workers, beats, sweeper, *clients]
        with programs.running(everybody):
            programs.wreak_havoc(everybody, seconds=SECONDS, source=random.Random(seed))
            for client in clients:
                client.stop()
            _wait_until_drained()
        _catch_up()
    with scope(Scope.everything()):
        happened = verdict.lived_through()
        wrong = verdict.complaints(verdict.told(tmp_path), now=timezone.now())
    kills = {program.name: program.kills for program in everybody}
    sys.stdout.write(f"seed {seed}: {happened}, kills {kills}\n")
    assert wrong == []
    assert all(happened.values()), happened
    assert sum(kills.values()) - len(everybody) >= SECONDS / 6


def _wait_until_drained() -> None:
    """Have those that were started again find what those that were killed left."""
    deadline = time.monotonic() + DRAINED_WITHIN
    while _waiting():
        assert time.monotonic() < deadline, f"still waiting: {_waiting()}"
        time.sleep(0.2)


def _waiting() -> dict[str, int]:
    with scope(Scope.everything()):
        left = {
            "tallies": Tally.objects.count(),
            "credits": CreditCheck.objects.count(),
            "past due": Commitment.objects.pending().filter(due_at__lt=timezone.now()).count(),
        }
    return {name: count for name, count in left.items() if count}


def _catch_up() -> None:
    """Judge what fell due since by the same moment that the verdict is given at."""
    sweep_overdue(now=timezone.now())
    fold_tallies()
    fold_progress()
    work_out_credits(now=timezone.now())
