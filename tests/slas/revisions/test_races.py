"""Revisions concurrent with sweeps, scans and requests: one order or another, never a mixture."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alliance.errors import AllianceError, Conflict
from alliance.tenancy import Actor, Scope, raw_rows, scope
from slas.choices import Outcome
from slas.commitments.services.settling import Milestone as Reached
from slas.commitments.services.settling import settle
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Breach, Commitment, Revision
from tests.slas.helpers import commitments
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, Lane
from tests.slas.helpers.offers import in_threads
from tests.slas.helpers.revisions import EVENING, commitment, revise


def at_once(*works: Callable[[], Any]) -> list[Any]:
    return in_threads(lambda number: works[number](), len(works))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(4))
def test_revision_sweep_and_scan_at_once_leave_one_of_their_orders(
    lane: Lane, merchant: Actor, _round: int
) -> None:
    with scope(Scope.everything()):
        parcels = [lane.promise(EVENING) for _number in range(6)]
    due = EVENING + timedelta(seconds=1)

    def sweep() -> None:
        sweep_overdue(now=due)

    def scan() -> None:
        with scope(Scope.everything()):
            # Delivered: after an attempt a later day may be agreed on, and late stays late.
            at = EVENING + HOUR
            reached = [Reached(parcel_id, DELIVERY, at, delivered_at=at) for parcel_id in parcels]
            settle(reached, now=at)

    def ask(parcel_id: int) -> Callable[[], Any]:
        # Asked in time, while the others' clocks are past it already.
        return lambda: revise(merchant, parcel_id, now=EVENING)

    results = at_once(sweep, scan, *(ask(parcel_id) for parcel_id in parcels))
    with scope(Scope.everything()):
        for parcel_id, result in zip(parcels, results[2:], strict=True):
            found = Commitment.objects.get(parcel_id=parcel_id, kind=DELIVERY)
            breached = Breach.objects.standing().filter(parcel_id=parcel_id).exists()
            if isinstance(result, Revision):
                # First: the scan an hour after the old promise is on time by the new one.
                assert (found.due_at, found.outcome, breached) == (EVENING + 2 * DAY, Outcome.MET, False)
            else:
                assert isinstance(result, Conflict), result
                assert (found.due_at, found.outcome, breached) == (EVENING, Outcome.LATE, True)
                assert found.revised_due_at is None
        commitments.assert_books_agree()


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_do_not_exceed_the_limit(lane: Lane, merchant: Actor) -> None:
    with scope(Scope.everything()):
        parcel_id = lane.promise(EVENING)
    results = at_once(*[(lambda ahead=ahead: revise(merchant, parcel_id, ahead)) for ahead in range(1, 7)])
    written = [item for item in results if isinstance(item, Revision)]
    assert 1 <= len(written) <= 2
    assert all(isinstance(item, AllianceError) for item in results if item not in written)
    with scope(Scope.everything()):
        chain = list(Revision.objects.order_by("pk").values_list("previous_due_at", "due_at"))
        assert chain[0][0] == EVENING
        assert all(before[1] == after[0] for before, after in zip(chain, chain[1:], strict=False))
        assert commitment(parcel_id).due_at == chain[-1][1]
        assert raw_rows("SELECT count(*) FROM alliance_event WHERE topic = 'commitment.revised'") == [
            (len(chain),)
        ]
