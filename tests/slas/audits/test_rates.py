"""The audit: clean when the rates are right, and finds every planted difference."""

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from alliance.models import AuditEntry, Heartbeat
from slas import tasks
from slas.audits.rates import audit_rates
from slas.commitments.services.sweeping import sweep_overdue
from slas.forecasts.services.folding import fold_progress
from slas.models import Breach, Commitment, OnTimeRate, OverdueCount, Progress, ProgressTally, Tally
from slas.rates.services.folding import fold_tallies
from tests.slas.helpers.commitments import DAY, HOUR, NOON, Lane, reach

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]


@pytest.fixture
def judged(lane: Lane) -> Lane:
    reach(lane.promise(), NOON)
    reach(lane.promise(), NOON + HOUR)
    lane.promise()
    sweep_overdue(now=NOON + DAY)
    return lane


def test_audit_is_clean_before_between_and_after_folds(judged: Lane) -> None:
    assert audit_rates().is_clean
    fold_tallies(limit=1, budget=0)
    assert audit_rates().is_clean
    fold_tallies()
    assert audit_rates().is_clean


def test_audit_of_empty_tables_is_clean() -> None:
    assert audit_rates().is_clean


def test_audit_finds_a_cell_that_was_changed(judged: Lane) -> None:
    fold_tallies()
    OnTimeRate.objects.filter(organisation=judged.courier).update(met=F("met") + 1)
    [difference] = audit_rates().cells
    assert (difference.organisation_id, difference.counterpart_id) == (judged.courier.pk, None)
    assert (difference.origin_id, difference.destination_id) == (judged.origin.pk, judged.destination.pk)
    assert (difference.expected["met"], difference.actual["met"]) == (1, 2)
    assert "met 2 instead of 1" in str(difference)


def test_audit_finds_changed_bins_and_names_them(judged: Lane) -> None:
    late = judged.promise(NOON, ready_at=NOON - 20 * HOUR)
    reach(late, NOON + HOUR)
    fold_tallies()
    fold_progress()
    for cell in OnTimeRate.objects.filter(organisation=judged.courier).exclude(marks=None):
        cell.marks += cell.marks[:1]
        cell.save()
    for progress in Progress.objects.all():
        progress.counts = [count + 1 for count in progress.counts]
        progress.save()
    texts = [str(difference) for difference in audit_rates().bins]
    assert any("lateness, bin 3: 3 instead of 2" in line for line in texts), texts
    assert any("12 h before, booked, bin 3: 2 instead of 1" in line for line in texts), texts
    assert tasks.audit_rates() == len(texts)


def test_audit_finds_a_missing_cell_and_an_extra_one(judged: Lane) -> None:
    fold_tallies()
    OnTimeRate.objects.filter(organisation=judged.merchant).update(due_date=NOON.date() - DAY)
    extra, missing = audit_rates().cells
    assert (extra.due_date, extra.expected["met"], extra.actual["met"]) == (NOON.date() - DAY, 0, 1)
    assert (missing.due_date, missing.expected["met"], missing.actual["met"]) == (NOON.date(), 1, 0)
    assert missing.counterpart_id == judged.courier.pk
    assert f"courier {judged.courier.pk}" in str(missing)


def test_audit_finds_a_tally_that_was_lost(judged: Lane) -> None:
    Tally.objects.order_by("pk").first().delete()
    assert len(audit_rates().cells) == 2


def test_audit_finds_progress_that_was_lost(judged: Lane) -> None:
    reach(judged.promise(NOON, ready_at=NOON - 20 * HOUR), NOON)
    ProgressTally.objects.all().delete()
    assert {str(row).rpartition(": ")[2] for row in audit_rates().bins} == {"0 instead of 1"}


def test_audit_finds_a_count_of_overdue_that_is_not(judged: Lane) -> None:
    fold_tallies()
    OverdueCount.objects.filter(organisation=judged.courier).update(overdue=3)
    OverdueCount.objects.filter(organisation=judged.merchant).delete()
    own, merchants = (str(row) for row in audit_rates().overdue)
    assert f"organisation {judged.courier.pk}, delivery: 3 overdue instead of 1" in {own, merchants}
    assert f"with courier {judged.courier.pk}, delivery: 0 overdue instead of 1" in own + merchants


def test_audit_finds_a_commitment_changed_behind_its_back(judged: Lane) -> None:
    Commitment.objects.filter(outcome="overdue").update(excused=True)
    assert [row.actual["excused"] for row in audit_rates().cells] == [0, 0]


def test_audit_finds_breaches_missing_and_too_many(judged: Lane) -> None:
    late, overdue = (Commitment.objects.get(outcome=outcome).parcel_id for outcome in ("late", "overdue"))
    Breach.objects.filter(parcel_id=late).update(withdrawn_at=NOON)
    other = Breach.objects.get(parcel_id=overdue)
    Breach.objects.filter(parcel_id=overdue).delete()
    other.parcel_id = Commitment.objects.get(outcome="met").parcel_id
    other.save(force_insert=True)
    result = {(row.outcome, row.standing) for row in audit_rates().breaches}
    assert result == {("late", False), ("overdue", False), ("", True)}


def test_command_reports_agreement(judged: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("audit_rates")
    assert "agree" in capsys.readouterr().out
    detail = Heartbeat.objects.get(name="audit-rates").detail
    assert detail == {"cells": 0, "overdue": 0, "breaches": 0, "bins": 0, "credits": 0, "first": []}
    assert not AuditEntry.objects.exists()


def test_command_fails_and_names_each_difference(judged: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    fold_tallies()
    OnTimeRate.objects.filter(organisation=judged.courier).update(late=7)
    with pytest.raises(CommandError, match="1 cells, 0 overdue, 0 breaches, 0 bins, 0 credits differ"):
        call_command("audit_rates")
    assert "late 7 instead of 1" in capsys.readouterr().out


def test_nightly_task_records_differences(judged: Lane) -> None:
    assert tasks.audit_rates() == 0
    Tally.objects.all().delete()
    # A cell, a count of what is overdue and a bin of either side.
    assert tasks.audit_rates() == 6
    beat = Heartbeat.objects.get(name="audit-rates")
    assert beat.detail["cells"] == 2
    assert beat.at <= timezone.now()
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.actor_kind) == ("rates.audit_failed", "system")
