"""The credit rule in SQL equals `credit_for`."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alliance.tenancy import Scope, raw_rows, scope
from slas.choices import ExcuseReason, TierCode
from slas.credits.rules import credit_for
from slas.credits.services.schedules import all_schedules
from slas.credits.sql import parameters, targets
from slas.models import Commitment, CreditSchedule
from tests.helpers.profiles import scaled
from tests.slas.helpers.commitments import DAY, HOUR, NOON, Lane, tier
from tests.slas.helpers.credit_cases import send

pytestmark = pytest.mark.django_db
NOW = NOON + 5 * DAY
SECOND = timedelta(seconds=1)
BOUNDS = (0 * DAY, 2 * HOUR, DAY, 3 * DAY)
EDGES = [bound + step for bound in BOUNDS for step in (-SECOND, 0 * SECOND, SECOND)]
ALL = f"WITH {targets('true')} SELECT parcel_id, fen, fen_before FROM credit_target"


@st.composite
def facts(draw: st.DrawFn) -> dict[str, Any]:
    """A delivery as it may stand, mostly near the edge of a band."""
    outcome = draw(st.sampled_from(["pending", "met", "late", "overdue", "void"]))
    late_by = draw(st.sampled_from(EDGES) | st.timedeltas(-DAY, 9 * DAY))
    if outcome in ("late", "overdue"):
        late_by = abs(late_by) + timedelta(microseconds=1)
    due_at = NOW - late_by if outcome == "overdue" else NOON
    reached = {"met": due_at - abs(late_by), "late": due_at + late_by}.get(outcome)
    lost = draw(st.booleans())
    excused = draw(st.booleans())
    return {
        "outcome": outcome,
        "due_at": due_at,
        "reached_at": reached,
        "excused": excused,
        "excuse_reason": draw(st.sampled_from(ExcuseReason)).value if excused else "",
        "fee_fen": draw(st.none() | st.integers(0, 200_000)),
        "declared_value_fen": draw(st.none() | st.integers(1, 2_000_000)),
        "lost_at": NOON if lost else None,
        "delivered_at": NOW if draw(st.booleans()) else None,
        "tier_id": tier(draw(st.sampled_from(TierCode))).pk,
    }


def worked_out() -> dict[int, tuple[int, int]]:
    query_parameters = parameters(all_schedules(), now=NOW, grace=2 * HOUR)
    return {parcel_id: (int(fen), int(before)) for parcel_id, fen, before in raw_rows(ALL, query_parameters)}


def test_both_say_the_same(lane: Lane) -> None:
    with scope(Scope.everything()):
        parcels = [send(lane) for _ in range(8)]
        # A version that also applies to them: their numbers are of NOON.
        CreditSchedule.objects.create(
            tier=lane.tier, number=2, valid_from=NOON, cap_fen=700, lost_fen=900,
            bands=[{"late_by_minutes": 0, "share_percent": 1}, {"late_by_minutes": 7, "share_percent": 99}],
        )  # fmt: skip

        @given(st.lists(facts(), min_size=8, max_size=8))
        @settings(max_examples=scaled(60), deadline=None, suppress_health_check=list(HealthCheck))
        def compare(given_facts: list[dict[str, Any]]) -> None:
            with transaction.atomic():
                for parcel, values in zip(parcels, given_facts, strict=True):
                    Commitment.objects.filter(parcel_id=parcel).update(**values)
                found, schedules = worked_out(), all_schedules()
                for row in Commitment.objects.all():
                    schedule = schedules.for_parcel(row.tier_id, row.parcel_id)
                    expected = tuple(
                        credit_for(schedule, row, now=moment).fen for moment in (NOW, NOW - 2 * HOUR)
                    )
                    assert found.get(row.parcel_id, (0, 0)) == expected, given_facts
                transaction.set_rollback(True)

        compare()


def test_targets_leave_out_other_deliveries(lane: Lane) -> None:
    with scope(Scope.everything()):
        overdue, pending = send(lane), send(lane)
        Commitment.objects.filter(parcel_id=overdue).update(outcome="overdue")
        ctes = targets("c.outcome = 'overdue'")
        sql = f"WITH {ctes} SELECT parcel_id FROM credit_target"
        query_parameters = parameters(all_schedules(), now=NOW, grace=HOUR)
        assert raw_rows(sql, query_parameters) == [(overdue,)]
        assert set(worked_out()) == {overdue, pending}


def test_no_schedule_gives_no_credit(lane: Lane) -> None:
    with scope(Scope.everything()):
        send(lane)
        CreditSchedule.objects.all().delete()
        assert worked_out() == {}
