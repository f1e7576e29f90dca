"""The Celery tasks of service levels: the sweep, the folds, the nightly audit and others."""

from celery import shared_task
from django.utils import timezone

from alliance.file_jobs import STRETCH
from alliance.health import note_heartbeat
from alliance.jobs import AFTER_OUTAGES
from alliance.tenancy import Actor, Scope, scope
from slas.audits import rates
from slas.commitments.services import sweeping
from slas.credits.services import closing, entries
from slas.excuses.services import claims
from slas.exports.services import writing
from slas.forecasts.services import folding as progress
from slas.offers.services import offer_file_retention, offer_files
from slas.rates.services import folding, traffic
from slas.scorecards.services import scorecards


@shared_task(acks_late=True)
def sweep_overdue() -> int:
    """Mark pending commitments past due as overdue. May run twice, side by side, or be killed: see the
    service."""
    swept = sweeping.sweep_overdue(now=timezone.now())
    if not swept.busy:
        note_heartbeat("sweep-overdue", overdue=swept.overdue)
    return swept.overdue


@shared_task(acks_late=True)
def fold_tallies() -> int:
    """Fold waiting tallies into the on-time rates. May run twice, side by side, or be killed: see the
    service."""
    folded = folding.fold_tallies()
    if not folded.busy:
        note_heartbeat("fold-tallies", tallies=folded.tallies)
    return folded.tallies


@shared_task(acks_late=True)
def spread_homes() -> int:
    """Have the homes of couriers follow their traffic. May run twice: see the service."""
    result = traffic.follow_traffic(now=timezone.now())
    if not result.busy:
        note_heartbeat("spread-homes", changed=result.changed, forgotten=result.forgotten)
    return result.changed


@shared_task(acks_late=True)
def fold_progress() -> int:
    """Fold progress tallies into histograms. May run twice, side by side, or be killed: see the service."""
    folded = progress.fold_progress()
    if not folded.busy:
        note_heartbeat("fold-progress", tallies=folded.tallies)
    return folded.tallies


@shared_task(acks_late=True)
def audit_rates() -> int:
    """Recompute the rates from the commitments and report differences; delete old progress.

    May run twice.
    """
    with scope(Scope.everything()):
        report = rates.run_audit(actor=Actor.system("nightly audit"))
        progress.forget_progress()
    return len(report.differences)


@shared_task(acks_late=True, **AFTER_OUTAGES)
def write_export(export_id: int) -> None:
    """Write an export, or continue it, for a minute. May run twice, side by side, or be killed."""
    writing.write_export(export_id=export_id, stretch=STRETCH)


@shared_task(acks_late=True)
def tend_exports() -> int:
    """Continue exports that are due, delete expired ones. May run twice: see the service."""
    return sum(writing.tend_exports(now=timezone.now()))


@shared_task(acks_late=True, **AFTER_OUTAGES)
def process_file_of_offers(file_id: int) -> None:
    """Check or save an uploaded file for a minute. May run twice, concurrently, or be killed."""
    offer_files.process_offer_file(file_id=file_id, stretch=STRETCH)


@shared_task(acks_late=True)
def resume_files_of_offers() -> int:
    """Queue files that are due. May run twice: each is queued once."""
    return offer_files.resume_offer_files(now=timezone.now())


@shared_task(acks_late=True)
def forget_files_of_offers() -> int:
    """Delete old files of offers. May run twice: it deletes what is left."""
    return offer_file_retention.forget_offer_files(now=timezone.now())


@shared_task(acks_late=True)
def refresh_scorecards() -> int:
    """Compute the scorecards of months not final, and grade couriers. May run twice: see the service."""
    result = scorecards.refresh_scorecards(now=timezone.now())
    if not result.busy:
        note_heartbeat("refresh-scorecards", cards=result.cards, final=result.final, grades=result.grades)
    return result.cards


@shared_task(acks_late=True)
def work_out_credits() -> int:
    """Turn changes of deliveries into ledger entries. May run twice: see the service."""
    result = entries.work_out_credits(now=timezone.now())
    if not result.busy:
        note_heartbeat("work-out-credits", checks=result.checks, entries=result.entries)
    return result.entries


@shared_task(acks_late=True)
def check_grown_credits() -> int:
    """Queue checks of overdue parcels whose credit grew by a band. May run twice: see the service."""
    return entries.check_grown_credits(now=timezone.now())


@shared_task(acks_late=True)
def close_months() -> int:
    """Close the months that are over. May run twice: a closed one is not closed again."""
    with scope(Scope.everything()):
        return len(closing.close_months_over(actor=Actor.system("monthly closing"), now=timezone.now()))


@shared_task(acks_late=True)
def forget_orphaned_evidence() -> int:
    """Delete files of claims that were rolled back. May run twice: it deletes the rest."""
    return claims.forget_orphaned_evidence()
