"""Random histories: SQL and Python give the same result for scans in any order and any batches."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from alliance.choices import Role
from alliance.identifiers import parse_tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.tenancy import Scope, scope
from parcels.choices import ScanCode
from parcels.models import Parcel, Scan
from parcels.scans import repeats, rules
from parcels.scans.lines import NamedScan, ScanLine
from parcels.scans.services import record_scans
from slas.choices import Outcome
from slas.commitments.rules import is_breach, judge
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Breach, Commitment, Tally
from tests import factories
from tests.helpers.profiles import scaled
from tests.parcels.helpers.parcels import booked_parcels

# Partitions begin with last month.
BOOKED = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
# Long after the last scan, so that batches may arrive in any order.
NOW = BOOKED + timedelta(hours=60)
REASONS = ("consignee_absent", "courier_vehicle")

# Few times, parcels and event ids, so that ties, duplicates and matching corrections are common.
hours = st.sampled_from([0, 1, 5, 6, 7, 29, 30, 31, 40])
event_ids = st.sampled_from(["", "a", "b", "c"])


@st.composite
def scan_lines(draw: Any) -> tuple[int, dict[str, Any]]:
    """One of the three parcels, and the fields of a scan."""
    code = draw(st.sampled_from(ScanCode.values))
    fields: dict[str, Any] = {"code": code, "occurred_at": BOOKED + timedelta(hours=draw(hours))}
    fields["event_id"] = draw(event_ids)
    fields["consent"] = draw(st.booleans())
    if code in rules.NEEDS_REASON:
        fields["reason"] = draw(st.sampled_from(REASONS))
    if code == ScanCode.CORRECTION:
        named = NamedScan(draw(st.sampled_from(ScanCode.values)), BOOKED + timedelta(hours=draw(hours)))
        fields["corrects"] = draw(st.sampled_from(["a", "b", "c"]) | st.just(named))
        # A scan with an event id cannot be the one that it withdraws.
        fields["event_id"] = draw(st.sampled_from(["", "x", "y"]))
    return draw(st.integers(0, 2)), fields


class Histories(RuleBasedStateMachine):
    """Three parcels, one of them cancelled; batches, repeats and sweeps in any order."""

    @initialize()
    def book(self) -> None:
        self.sent: list[ScanLine] = []
        courier = factories.courier_organisation("Swift Express")
        merchant = factories.merchant_organisation("Lotus Tea")
        self.courier = actor_of_organisation(courier, kind="user", role=Role.OWNER)
        self.parcels = booked_parcels(merchant, courier, booked_at=BOOKED, count=2)
        self.parcels += booked_parcels(
            merchant, courier, booked_at=BOOKED, status="cancelled", cancelled_at=BOOKED
        )

    @rule(drawn=st.lists(scan_lines(), min_size=1, max_size=6))
    def send(self, drawn: list[tuple[int, dict[str, Any]]]) -> None:
        self._send([ScanLine(self.parcels[number].number, **fields) for number, fields in drawn])

    @rule(data=st.data())
    def send_again(self, data: Any) -> None:
        if self.sent:
            self._send(data.draw(st.lists(st.sampled_from(self.sent), min_size=1, max_size=5)))

    @rule()
    def sweep(self) -> None:
        sweep_overdue(now=NOW)
        with scope(Scope.everything()):
            assert not Commitment.objects.pending().filter(due_at__lt=NOW).exists()

    def _send(self, lines: list[ScanLine]) -> None:
        with scope(Scope.of(self.courier)):
            report = record_scans(actor=self.courier, lines=lines, now=NOW)
        # Drawn ids repeat, for other scans, too.
        assert {rejection.code for rejection in report.rejections} <= {repeats.CODE}
        assert report.accepted + len(report.duplicates) + len(report.rejections) == len(lines)
        rejected = {rejection.index for rejection in report.rejections}
        self._are_stored([line for index, line in enumerate(lines) if index not in rejected])
        self.sent += lines

    def _are_stored(self, lines: list[ScanLine]) -> None:
        """Nothing that was taken, or told to be known, is missing or something else."""
        with scope(Scope.everything()):
            stored = {
                (scan.parcel_id, scan.code, scan.stated_at or scan.occurred_at, scan.reason, scan.consent)
                for scan in Scan.objects.all()
            }
        for line in lines:
            parcel_id = parse_tracking_number(line.tracking_number)
            said = (line.code, line.occurred_at, line.reason or "", bool(line.consent))
            assert (parcel_id, *said) in stored

    @invariant()
    def statuses_are_the_fold(self) -> None:
        with scope(Scope.everything()):
            for parcel in Parcel.objects.all():
                folded = rules.fold(
                    Scan.objects.filter(parcel_id=parcel.pk),
                    booked_at=BOOKED,
                    cancelled_at=parcel.cancelled_at,
                )
                stored = (
                    parcel.status,
                    parcel.status_at,
                    parcel.last_scan_at,
                    parcel.delivered_at,
                    parcel.picked_up_at,
                    parcel.attempted_at,
                    parcel.contradiction,
                )
                assert stored == (
                    folded.status,
                    folded.status_at,
                    folded.last_scan_at,
                    folded.delivered_at,
                    folded.picked_up_at,
                    folded.attempted_at,
                    folded.contradiction,
                )
                assert (parcel.contradicted_at is not None) == bool(parcel.contradiction)
                assert parcel.scan_count == Scan.objects.filter(parcel_id=parcel.pk).count()
                self._commitments_are_judged(parcel, folded)

    def _commitments_are_judged(self, parcel: Parcel, folded: rules.Folded) -> None:
        reached = {"pickup": folded.picked_up_at, "delivery": folded.reached_at}
        for commitment in Commitment.objects.filter(parcel_id=parcel.pk):
            at = reached[commitment.kind]
            assert commitment.reached_at == at
            # A cancelled parcel's commitment is void and never changes again.
            if commitment.kind == "delivery" and parcel.status != "cancelled":
                self._journey_is_kept(parcel, commitment, folded)
            judged = judge(commitment.due_at, at, NOW, voided=False)
            # An unreached commitment becomes overdue at the next sweep or correction.
            waits = (commitment.outcome, judged) == (Outcome.PENDING, Outcome.OVERDUE)
            assert waits or commitment.outcome == judged
            standing = Breach.objects.standing().filter(parcel_id=parcel.pk, kind=commitment.kind).exists()
            assert standing == is_breach(Outcome(commitment.outcome))

    def _journey_is_kept(self, parcel: Parcel, commitment: Commitment, folded: rules.Folded) -> None:
        """After an attempt or loss, the commitment has the journey; before, only the parcel has it."""
        stages = ("picked_up_at", "departed_at", "arrived_at", "out_for_delivery_at")
        journey = tuple(getattr(folded, name) for name in stages)
        assert tuple(getattr(parcel, name) for name in stages) == journey
        ends = (folded.attempted_at, folded.delivery_at, folded.turned_at, folded.lost_at)
        stored = (commitment.attempted_at, commitment.delivered_at, commitment.turned_at, commitment.lost_at)
        assert stored == ends
        if any(ends):
            assert tuple(getattr(commitment, name) for name in stages) == journey

    @invariant()
    def tallies_are_the_commitments(self) -> None:
        with scope(Scope.everything()):
            counted = Counter(Commitment.objects.values_list("outcome", flat=True))
            tallied = {
                outcome: sum(Tally.objects.values_list(outcome, flat=True)) for outcome in Outcome.values
            }
        assert {outcome: n for outcome, n in tallied.items() if n} == counted


class RolledBack(Histories):
    """Run each history in a separate transaction, which is rolled back."""

    def __init__(self) -> None:
        self._undone = transaction.atomic()
        self._undone.__enter__()
        super().__init__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._undone.__exit__(None, None, None)


@pytest.mark.django_db
def test_random_histories_match_the_reference() -> None:
    run_state_machine_as_test(
        RolledBack,
        settings=settings(
            max_examples=scaled(25),
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
