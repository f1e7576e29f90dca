"""Random histories: whatever happens in whatever order, killed wherever, the books agree.

Scans come late, twice and out of order, of every stage of a journey; some are corrected; parcels are
cancelled, lost and found; breaches are excused and excuses lifted; recipients ask for another day; sweeps
and folds run in slices; and any of it may be killed before or after any of its statements, and be tried
again or not. After every step the rates and histograms, with the tallies that wait, are what the
commitments say, breaches stand where promises are broken, and no outcome has made a change that is
not in the table. In the end Python counts the same from the commitments as SQL did on the way.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alliance.errors import Conflict
from alliance.models import Organisation
from alliance.tenancy import Scope, raw_rows, scope
from slas.audits.rates import audit_rates
from slas.commitments.rules import can_become, is_breach, judge, voided_by_cancellation
from slas.commitments.services.settling import (
    CommitmentDraft,
    Milestone,
    excuse_commitments,
    mark_lost,
    open_commitments,
    revise_due,
    settle,
    void_commitments,
)
from slas.commitments.services.sweeping import sweep_overdue
from slas.forecasts.services.folding import fold_progress
from slas.models import Commitment, OnTimeRate, ProgressTally, Tally
from slas.rates.services.folding import fold_tallies
from tests.helpers.profiles import scaled
from tests.slas.helpers import recount
from tests.slas.helpers.commitments import (
    DAY,
    DELIVERY,
    HOUR,
    NOON,
    PICKUP,
    Lane,
    broken_promises,
    lane,
    standing_breaches,
)
from tests.slas.helpers.fates import FATES, Fate, Killed, killer

EMPTIED = (
    "slas_commitment", "slas_breach", "slas_excuse", "slas_tally", "slas_ontimerate", "slas_overduecount",
    "slas_progresstally", "slas_progress", "slas_creditcheck",
)  # fmt: skip
JOURNEY = ("picked_up_at", "departed_at", "arrived_at", "out_for_delivery_at", "attempted_at", "delivered_at")
OFFSETS = st.sampled_from([-3 * HOUR, -HOUR, timedelta(), timedelta(microseconds=1), HOUR, 5 * HOUR])
INDEXES = st.lists(st.integers(0, 99), min_size=1, max_size=4)


@dataclass
class Promised:
    """The model's facts of one commitment, independent of how they were recorded."""

    draft: CommitmentDraft
    # Each scan as the milestones it reaches: (name of the time, when).
    scans: list[tuple[str, datetime]] = field(default_factory=list)
    void: bool = False
    excused: bool = False
    lost_at: datetime | None = None
    # The date that is judged by, once the recipient has asked for another.
    revised: datetime | None = None
    # The latest day agreed on, judged by or not.
    agreed: datetime | None = None

    @property
    def due_at(self) -> datetime:
        return self.revised or self.draft.due_at

    @property
    def reached_at(self) -> datetime | None:
        return self.first("reached_at")

    def first(self, name: str) -> datetime | None:
        return min((at for scanned, at in self.scans if scanned == name), default=None)

    def milestone(self, scans: list[tuple[str, datetime]], *, exact: bool) -> Milestone:
        """What is said of these scans; exactly where they are all there is."""
        times: dict[str, datetime | None] = {}
        for name in ("reached_at", *JOURNEY):
            times[name] = min((at for scanned, at in scans if scanned == name), default=None)
        lost_at = self.lost_at if exact else None
        return Milestone(self.draft.parcel_id, self.draft.kind, exact=exact, lost_at=lost_at, **times)


class Histories(RuleBasedStateMachine):
    lanes: list[Lane]

    @initialize()
    def begin(self) -> None:
        with scope(Scope.everything()):
            for table in EMPTIED:
                raw_rows(f"DELETE FROM {table}")
        self.now = NOON
        self.promised: dict[tuple[int, str], Promised] = {}
        self.outcomes: dict[tuple[int, str], str] = {}
        # Start with some commitments: an empty history proves nothing.
        self.open([(place, HOUR, HOUR) for place in range(3)], [], Fate())

    def run(self, fate: Fate, call: Callable[[], object]) -> bool:
        """Run a call of one transaction with its fate; return whether it succeeded in the end."""

        def in_scope() -> None:
            with scope(Scope.everything()):
                call()

        return self.run_task(fate, in_scope)

    def run_task(self, fate: Fate, call: Callable[[], object]) -> bool:
        """The same for what opens its own transactions, a slice or a batch each."""
        try:
            with connection.execute_wrapper(killer(fate)):
                call()
        except Killed:
            if fate.again:
                call()
            return fate.again
        return True

    def chosen(self, indexes: list[int]) -> list[Promised]:
        everything = list(self.promised.values())
        return [everything[index % len(everything)] for index in indexes] if everything else []

    # Few parcels, so that much happens to each.
    @precondition(lambda self: len(self.promised) < 12)
    @rule(
        places=st.lists(st.tuples(st.integers(0, 99), OFFSETS, OFFSETS), min_size=1, max_size=2),
        old=INDEXES,
        fate=FATES,
    )
    def open(self, places: list[tuple[int, timedelta, timedelta]], old: list[int], fate: Fate) -> None:
        """Promise pickup and delivery of some new parcels, and some old ones once more."""
        drafts = []
        for place, pickup, delivery in places:
            made = self.lanes[place % len(self.lanes)].draft(self.now + delivery + 2 * HOUR)
            drafts += [made, replace(made, kind=PICKUP, due_at=self.now + pickup)]
        again = [promised.draft for promised in self.chosen(old)]
        if self.run(fate, lambda: open_commitments([*again[:1], *drafts])):
            self.promised |= {(draft.parcel_id, str(draft.kind)): Promised(draft) for draft in drafts}

    @rule(hours=st.integers(1, 4))
    def wait(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule(
        indexes=INDEXES,
        names=st.lists(st.sampled_from(["reached_at", "reached_at", *JOURNEY]), min_size=1, max_size=4),
        offset=OFFSETS,
        spread=OFFSETS,
        fate=FATES,
    )
    def scan(
        self, indexes: list[int], names: list[str], offset: timedelta, spread: timedelta, fate: Fate
    ) -> None:
        """Some milestones are reached, in a batch with duplicates, around their due times."""
        scans = []
        for place, promised in enumerate(self.chosen(indexes)):
            at = promised.due_at + offset + place * spread
            # A pickup is reached, and that is all there is to it.
            seen = names if promised.draft.kind == DELIVERY else ["reached_at"]
            scans.append((promised, [(name, at) for name in seen]))
        milestones = [promised.milestone(seen, exact=False) for promised, seen in scans]
        if self.run(fate, lambda: settle([*milestones, *milestones[:1]], now=self.now)):
            for promised, seen in scans:
                # Scans of voided commitments are not counted: nothing leaves void.
                if not promised.void:
                    promised.scans += seen

    @rule(indexes=INDEXES, which=st.integers(0, 9), fate=FATES)
    def correct(self, indexes: list[int], which: int, fate: Fate) -> None:
        """Some scans are withdrawn: what is left of each is sent as exact."""
        left = {}
        for promised in self.chosen(indexes):
            scans = list(promised.scans)
            if scans:
                scans.pop(which % len(scans))
            left[promised.draft.parcel_id, promised.draft.kind] = (promised, scans)
        milestones = [promised.milestone(scans, exact=True) for promised, scans in left.values()]
        if self.run(fate, lambda: settle(milestones, now=self.now)):
            for promised, scans in left.values():
                promised.scans = scans

    @rule(indexes=INDEXES, found=st.booleans(), fate=FATES)
    def lose(self, indexes: list[int], found: bool, fate: Fate) -> None:
        """Some deliveries count as lost from now on, or no longer."""
        chosen = [p for p in self.chosen(indexes) if p.draft.kind == DELIVERY]
        lost = {promised.draft.parcel_id: None if found else self.now for promised in chosen}
        if self.run(fate, lambda: mark_lost(lost=lost, now=self.now)):
            for promised in chosen:
                if not promised.void:
                    promised.lost_at = lost[promised.draft.parcel_id]

    @rule(index=st.integers(0, 99), hours=st.integers(1, 9), judged=st.booleans(), fate=FATES)
    def revise(self, index: int, hours: int, judged: bool, fate: Fate) -> None:
        """A later day is agreed on; only the recipient's request moves the judged time."""
        for promised in self.chosen([index]):
            key = {"parcel_id": promised.draft.parcel_id, "kind": promised.draft.kind}
            due_at = promised.due_at + hours * DAY

            def agree(key: dict[str, Any] = key, due_at: datetime = due_at) -> None:
                revise_due(**key, due_at=due_at, judged=judged, now=self.now)

            try:
                result = self.run(fate, agree)
            except Conflict:
                settled = promised.void or promised.reached_at
                passed = judged and promised.due_at < self.now
                assert settled or passed or (promised.agreed and due_at <= promised.agreed)
            else:
                if result:
                    promised.agreed = due_at
                    promised.revised = due_at if judged else promised.revised

    @rule(indexes=INDEXES, fate=FATES)
    def cancel(self, indexes: list[int], fate: Fate) -> None:
        """Some parcels that have not moved are cancelled."""
        moved = {promised.draft.parcel_id for promised in self.promised.values() if promised.scans}
        parcels = {promised.draft.parcel_id for promised in self.chosen(indexes)} - moved
        if self.run(fate, lambda: void_commitments(parcel_ids=sorted(parcels, reverse=True), at=self.now)):
            for (parcel_id, _kind), promised in self.promised.items():
                kind, due_at = promised.draft.kind, promised.due_at
                if parcel_id in parcels and voided_by_cancellation(kind, due_at, self.now):
                    promised.void = True

    @rule(indexes=INDEXES, reason=st.sampled_from(["weather", "consignee_absent", None]), fate=FATES)
    def excuse(self, indexes: list[int], reason: str | None, fate: Fate) -> None:
        """Some breaches are excused, some excuses lifted; other commitments stay as they are."""
        keys = [(p.draft.parcel_id, str(p.draft.kind)) for p in self.chosen(indexes)]
        if self.run(fate, lambda: excuse_commitments(keys=keys, reason=reason, now=self.now)):
            for key in keys:
                excused = self.promised[key].excused
                breach = is_breach(self.outcomes.get(key, "pending"))
                self.promised[key].excused = reason is not None and (excused or breach)

    # Sweeps and folds commit slice by slice: outside any scope of the caller's.
    @rule(limit=st.integers(1, 4), fate=FATES)
    def sweep(self, limit: int, fate: Fate) -> None:
        self.run_task(fate, lambda: sweep_overdue(now=self.now, limit=limit))

    @rule(limit=st.integers(1, 4), fate=FATES)
    def fold(self, limit: int, fate: Fate) -> None:
        self.run_task(fate, lambda: fold_tallies(limit=limit))

    @rule(limit=st.integers(1, 4), fate=FATES)
    def fold_progress(self, limit: int, fate: Fate) -> None:
        self.run_task(fate, lambda: fold_progress(limit=limit))

    @invariant()
    def books_agree(self) -> None:
        with scope(Scope.everything()):
            assert audit_rates().differences == []
            assert standing_breaches() == broken_promises()
            result = {(row.parcel_id, row.kind): row for row in Commitment.objects.all()}
        assert result.keys() == self.promised.keys()
        for key, row in result.items():
            assert can_become(self.outcomes.get(key, row.outcome), row.outcome)
            promised = self.promised[key]
            assert (row.excused, row.outcome == "void") == (promised.excused, promised.void)
            assert row.excused == bool(row.excuse_reason)
            assert (row.due_at, row.lost_at) == (promised.due_at, promised.lost_at)
            if not promised.void:
                assert [getattr(row, name) for name in JOURNEY] == [promised.first(name) for name in JOURNEY]
        self.outcomes = {key: row.outcome for key, row in result.items()}

    def teardown(self) -> None:
        """In the end every promise is judged by its facts, and the rates equal the outcomes."""
        sweep_overdue(now=self.now)
        fold_tallies()
        fold_progress()
        self.books_agree()
        with scope(Scope.everything()):
            assert not Tally.objects.exists()
            assert not ProgressTally.objects.exists()
            for cell in OnTimeRate.objects.all():
                assert min(cell.pending, cell.met, cell.late, cell.overdue, cell.void, cell.excused) >= 0
                assert cell.excused <= cell.late + cell.overdue
            assert recount.folded() == recount.expected()
        for key, promised in self.promised.items():
            expected = judge(promised.due_at, promised.reached_at, self.now, promised.void)
            assert self.outcomes[key] == expected


@pytest.mark.django_db(transaction=True)
def test_books_agree_after_random_histories(
    merchant_organisation: Organisation,
    rival_merchant: Organisation,
    courier_organisation: Organisation,
    rival_courier: Organisation,
) -> None:
    first, second = lane(merchant_organisation, courier_organisation), lane(rival_merchant, rival_courier)
    crossing = replace(first, courier=rival_courier, destination=first.origin)
    machine = type("HistoriesHere", (Histories,), {"lanes": [first, second, crossing]})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=scaled(30),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
