"""Random histories of credits: whatever happens, in whatever order, the ledger and its statements agree.

Deliveries come late, are corrected, called off, excused, not excused after all, lost, found; time passes;
months are closed; credits are worked out in batches that may be killed before or after any statement.
Nothing written is ever changed; every statement is the sum of its entries at all times; and once nothing
waits, each parcel's entries add up to what decimals say about the bare facts.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from alliance.errors import Conflict
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.commitments.services.settling import (
    Milestone,
    excuse_commitments,
    mark_lost,
    settle,
    void_commitments,
)
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.audit import audit_credits
from slas.credits.months import month_of, next_month, start_of
from slas.credits.services.closing import close_month, open_months
from slas.credits.services.entries import check_grown_credits, work_out_credits
from slas.models import ClosedMonth, Commitment, CreditEntry, CreditSchedule, Statement
from tests.helpers.owner import execute_as_owner
from tests.helpers.profiles import scaled
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, Lane, lane
from tests.slas.helpers.credit_cases import empty_books
from tests.slas.helpers.fates import FATES, Fate, Killed, killer

PICKS = st.integers(0, 99)
FEES = st.sampled_from([None, 0, 1, 3, 799, 1_250, 7_999, 60_000])
SPANS = st.sampled_from(
    [-2 * HOUR, timedelta(), timedelta(seconds=1), HOUR, 23 * HOUR, DAY, 3 * DAY, 9 * DAY]
)
WAITS = st.sampled_from([HOUR, 5 * HOUR, DAY, 2 * DAY, 17 * DAY])
REASONS = st.sampled_from(["weather", "consignee_absent", "force_majeure", "disaster"])


def owed(row: Commitment, schedule: CreditSchedule, now: datetime) -> int:
    """The credit of a delivery, computed differently: yuan as decimals, from the facts only."""
    if row.fee_fen is None or row.outcome == "void":
        return 0
    if row.lost_at and not row.delivered_at:
        return 0 if row.excused and row.excuse_reason in ("force_majeure", "disaster") else schedule.lost_fen
    until = row.reached_at if row.outcome == "late" else now if row.outcome == "overdue" else None
    if until is None or row.excused:
        return 0
    minutes = Decimal((until - row.due_at) // timedelta(microseconds=1)) / 60_000_000
    share = max((b["share_percent"] for b in schedule.bands if b["late_by_minutes"] <= minutes), default=0)
    yuan = (Decimal(row.fee_fen) / 100 * share / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return int(min(yuan * 100, Decimal(schedule.cap_fen)))


class CreditHistories(RuleBasedStateMachine):
    lanes: list[Lane]

    @initialize()
    def begin(self) -> None:
        with scope(Scope.everything()):
            execute_as_owner("TRUNCATE slas_commitment, slas_breach, slas_tally, slas_progresstally")
            empty_books()
        self.now = NOON
        self.parcels: list[int] = []
        self.moved: set[int] = set()
        self.seen: list[tuple[object, ...]] = []
        for fee in (1_250, 60_000):
            self.send(0, HOUR, fee)

    def everywhere(self, call: Callable[[], object]) -> object:
        with scope(Scope.everything()):
            return call()

    def pick(self, place: int) -> int:
        return self.parcels[place % len(self.parcels)]

    # --- what happens to parcels ---

    @rule(place=PICKS, due=SPANS, fee=FEES)
    def send(self, place: int, due: timedelta, fee: int | None) -> None:
        if len(self.parcels) < 10:
            there = self.lanes[place % len(self.lanes)]
            self.parcels.append(self.everywhere(lambda: there.promise(self.now + due, fee_fen=fee)))  # type: ignore[arg-type]

    @rule(place=PICKS, span=SPANS, delivered=st.booleans())
    def attempt(self, place: int, span: timedelta, delivered: bool) -> None:
        """A delivery, or a valid attempt that left the parcel with the courier, around the due time."""
        parcel = self.pick(place)
        self.moved.add(parcel)

        def scan() -> None:
            at = Commitment.objects.get(parcel_id=parcel).due_at + span
            there = at if delivered else None
            settle([Milestone(parcel, DELIVERY, at, attempted_at=at, delivered_at=there)], now=self.now)

        self.everywhere(scan)

    @rule(place=PICKS)
    def correct(self, place: int) -> None:
        """All scans are withdrawn, a lost one included."""
        milestone = Milestone(self.pick(place), DELIVERY, None, exact=True)
        self.everywhere(lambda: settle([milestone], now=self.now))

    @rule(place=PICKS)
    def cancel(self, place: int) -> None:
        parcel = self.pick(place)
        if parcel not in self.moved:
            self.everywhere(lambda: void_commitments(parcel_ids=[parcel], at=self.now))

    @rule(place=PICKS, reason=st.none() | REASONS)
    def excuse(self, place: int, reason: str | None) -> None:
        keys = [(self.pick(place), DELIVERY)]
        self.everywhere(lambda: excuse_commitments(keys=keys, reason=reason, now=self.now))

    @rule(place=PICKS, lost=st.booleans())
    def lose(self, place: int, lost: bool) -> None:
        since = {self.pick(place): self.now if lost else None}
        self.everywhere(lambda: mark_lost(lost=since, now=self.now))

    # --- what beat does ---

    @rule(wait=WAITS)
    def wait(self, wait: timedelta) -> None:
        self.now += wait

    @rule()
    def sweep(self) -> None:
        sweep_overdue(now=self.now)

    @rule(fate=FATES, limit=st.integers(1, 4))
    def work_out(self, fate: Fate, limit: int) -> None:
        self.meet(fate, lambda: work_out_credits(now=self.now, limit=limit))

    @rule(fate=FATES)
    def grow(self, fate: Fate) -> None:
        self.meet(fate, lambda: check_grown_credits(now=self.now))

    @rule(fate=FATES, next_too=st.booleans())
    def close(self, fate: Fate, next_too: bool) -> None:
        """Close months that are over; sometimes advance to the month's end first."""
        if next_too:
            self.now = start_of(next_month(month_of(self.now))) + HOUR

        def close_first() -> None:
            with scope(Scope.everything()):
                for month in open_months(now=self.now)[:1]:
                    close_month(actor=Actor.system("test"), month=month, now=self.now)

        self.meet(fate, close_first)

    def meet(self, fate: Fate, call: Callable[[], object]) -> None:
        """Run a call, or have it killed somewhere and mostly retried."""
        try:
            with connection.execute_wrapper(killer(fate)):
                call()
        except Killed:
            if fate.again:
                call()
        except Conflict as refused:
            raise AssertionError("the oldest month can always be closed") from refused

    # --- what holds ---

    @invariant()
    def nothing_written_changes(self) -> None:
        with scope(Scope.everything()):
            entries = list(CreditEntry.objects.order_by("pk").values_list())
        assert entries[: len(self.seen)] == self.seen
        self.seen = entries

    @invariant()
    def statements_are_the_ledger(self) -> None:
        with scope(Scope.everything()):
            closed = set(ClosedMonth.objects.values_list("month", flat=True))
            stated = {
                (row.organisation_id, row.month): (row.entries, row.total_fen)
                for row in Statement.objects.all()
            }
            added: dict[tuple[int, object], tuple[int, int]] = {}
            for entry in CreditEntry.objects.filter(month__in=closed):
                for side in (entry.merchant_id, entry.courier_id):
                    count, fen = added.get((side, entry.month), (0, 0))
                    added[side, entry.month] = (count + 1, fen + entry.amount_fen)
        assert stated == added

    @rule()
    def settle_up(self) -> None:
        """With an empty queue every parcel's entries equal the credit of its facts."""
        sweep_overdue(now=self.now)
        check_grown_credits(now=self.now)
        work_out_credits(now=self.now)
        with scope(Scope.everything()):
            assert [str(item) for item in audit_credits(now=self.now)] == []
            schedules = {row.tier_id: row for row in CreditSchedule.objects.all()}
            sums: dict[int, int] = {}
            for parcel_id, fen in CreditEntry.objects.values_list("parcel_id", "amount_fen"):
                sums[parcel_id] = sums.get(parcel_id, 0) + fen
            for row in Commitment.objects.all():
                assert sums.get(row.parcel_id, 0) == owed(row, schedules[row.tier_id], self.now), row
        # A second run adds nothing.
        written = len(self.seen)
        self.nothing_written_changes()
        written = len(self.seen)
        check_grown_credits(now=self.now)
        work_out_credits(now=self.now)
        self.nothing_written_changes()
        assert len(self.seen) == written

    def teardown(self) -> None:
        self.settle_up()
        self.statements_are_the_ledger()


@pytest.mark.django_db(transaction=True)
def test_ledger_and_statements_agree_after_random_histories(
    merchant_organisation: Organisation,
    rival_merchant: Organisation,
    courier_organisation: Organisation,
    rival_courier: Organisation,
) -> None:
    lanes = [lane(merchant_organisation, courier_organisation), lane(rival_merchant, rival_courier)]
    run_state_machine_as_test(
        type("CreditHistoriesHere", (CreditHistories,), {"lanes": lanes}),
        settings=settings(
            max_examples=scaled(40),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
