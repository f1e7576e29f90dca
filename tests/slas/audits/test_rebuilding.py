"""Rebuilt histograms equal the commitments, whatever was stored or waiting before."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from slas.audits.rates import audit_rates
from slas.audits.rebuilding import rebuild_histograms
from slas.forecasts.services.folding import fold_progress
from slas.models import HistogramBin, OnTimeRate, Progress, ProgressTally, Tally
from slas.rates.services.folding import fold_tallies
from tests.slas.helpers.commitments import HOUR, NOON, Lane, reach
from tests.slas.helpers.recount import expected, folded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]
OTHER_DAY = NOON.date() - timedelta(days=3)
# A mark of an abandoned rule.
OLD = 199_505


@pytest.fixture
def judged(lane: Lane) -> Lane:
    """Two late deliveries and two punctual ones; of each kind one is folded and one waits."""
    for _time in range(2):
        reach(lane.promise(NOON, ready_at=NOON - 20 * HOUR), NOON + HOUR)
        reach(lane.promise(NOON, ready_at=NOON - 9 * HOUR), NOON - HOUR)
        if not OnTimeRate.objects.exists():
            fold_tallies()
            fold_progress()
    return lane


def test_rebuilt_histograms_are_those_that_were_folded(judged: Lane) -> None:
    assert Tally.objects.exists()
    assert ProgressTally.objects.exists()
    assert rebuild_histograms() == (2, 1)
    assert audit_rates().is_clean
    fold_tallies()
    fold_progress()
    assert folded() == expected()


def test_marks_of_another_rule_are_removed(judged: Lane) -> None:
    OnTimeRate.objects.update(marks=[OLD])
    Tally.objects.update(marks=[OLD])
    Progress.objects.update(marks=[OLD], counts=[3])
    # Cells of a day on which nothing was late, and nothing came.
    OnTimeRate.objects.create(
        organisation=judged.courier,
        kind="delivery",
        tier=judged.tier,
        origin=judged.origin,
        destination=judged.destination,
        due_date=OTHER_DAY,
        marks=[OLD],
    )
    progress = Progress.objects.get()
    progress.due_date = OTHER_DAY
    Progress.objects.bulk_create([progress])
    assert not audit_rates().is_clean
    rebuild_histograms()
    assert audit_rates().is_clean
    assert not HistogramBin.objects.filter(due_date=OTHER_DAY).exists()
    assert not Progress.objects.filter(due_date=OTHER_DAY).exists()


def test_cells_that_are_not_there_yet_get_their_counts_by_the_fold(lane: Lane) -> None:
    reach(lane.promise(NOON, ready_at=NOON - 20 * HOUR), NOON + HOUR)
    rebuild_histograms()
    assert audit_rates().is_clean
    fold_tallies()
    fold_progress()
    assert folded() == expected()


def test_days_of_retired_parcels_are_not_changed(judged: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slas.audits.rebuilding.retired_through", lambda: NOON.date())
    OnTimeRate.objects.update(marks=[OLD])
    Progress.objects.update(marks=[OLD], counts=[3])
    rebuild_histograms()
    assert set(HistogramBin.objects.values_list("measure", flat=True)) == {OLD // 1000}
    assert Progress.objects.get().marks == [OLD]
    assert Tally.objects.exclude(marks=None).exists()


def test_command_rebuilds_repeatedly(judged: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    for _time in range(2):
        call_command("rebuild_histograms")
        assert "2 cells' marks, 1 of progress" in capsys.readouterr().out
    assert audit_rates().is_clean
