"""Deliveries with credits, and the resulting books."""

from datetime import datetime, timedelta

from alliance.members.acquaintances import acquaint
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from slas.commitments.services.settling import Milestone, settle
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.audit import audit_credits
from slas.credits.services.entries import CreditRun, check_grown_credits, work_out_credits
from slas.credits.services.sums import add_entries
from slas.models import CreditCheck, CreditEntry
from tests import factories
from tests.helpers.owner import execute_as_owner
from tests.slas.helpers.commitments import DELIVERY, HOUR, NOON, Lane

# Ten yuan: 20 % of it at once, half after a day, all after three (next day, version 1).
FEE = 1_000


def send(
    lane: Lane, due_at: datetime = NOON, fee_fen: int | None = FEE, declared_value_fen: int | None = None
) -> int:
    """Promise a delivery with a fee; return its parcel's id."""
    return lane.promise(due_at, fee_fen=fee_fen, declared_value_fen=declared_value_fen)


def deliver(parcel_id: int, at: datetime, *, now: datetime | None = None) -> None:
    settle(
        [Milestone(parcel_id, DELIVERY, at, attempted_at=at, delivered_at=at)],
        now=now or at + timedelta(minutes=1),
    )


def credit_others(lane: Lane, count: int, *, fen: int) -> list[int]:
    """Credit so many more merchants of the lane's courier in its newest entry's month; return their ids."""
    merchants = [factories.merchant_organisation(f"Merchant {number}").pk for number in range(count)]
    with scope(Scope.everything()):
        acquaint((pk, lane.courier.pk) for pk in merchants)
        entry = CreditEntry.objects.latest("pk")
        for entry.merchant_id in merchants:
            entry.pk, entry.amount_fen, entry._state.adding = None, fen, True
            entry.save(force_insert=True)
        add_entries()
    return merchants


def take_back(parcel_id: int, *, now: datetime) -> None:
    """A correction leaves no scan at all."""
    settle([Milestone(parcel_id, DELIVERY, None, exact=True)], now=now)


def work(now: datetime = NOON + HOUR) -> CreditRun:
    """The periodic tasks: sweep, check grown credits, compute credits."""
    sweep_overdue(now=now)
    check_grown_credits(now=now)
    return work_out_credits(now=now)


def ledger(parcel_id: int | None = None) -> list[tuple[int, str]]:
    """Amounts and causes in the order they were written."""
    with scope(Scope.everything()):
        entries = CreditEntry.objects.order_by("pk")
        if parcel_id is not None:
            entries = entries.filter(parcel_id=parcel_id)
        return list(entries.values_list("amount_fen", "cause"))


def credited(parcel_id: int) -> int:
    return sum(amount for amount, _cause in ledger(parcel_id))


def check(parcel_id: int, kind: str = DELIVERY) -> None:
    """Queue the check of a credit again, as a replayed task might."""
    with scope(Scope.everything()):
        parties = Organisation.objects.values_list("pk", flat=True)[:2]
        CreditCheck.objects.create(
            parcel_id=parcel_id, kind=kind, merchant_id=parties[0], courier_id=parties[1]
        )


def assert_ledger_agrees(now: datetime) -> None:
    """The queue is empty, and every sum equals a computation from scratch."""
    with scope(Scope.everything()):
        assert [str(difference) for difference in audit_credits(now=now)] == []


def empty_books() -> None:
    """Start afresh: no policy lets a ledger be deleted, so it is truncated."""
    tables = ("entry", "check", "sum", "fold")
    names = ", ".join(f"slas_credit{table}" for table in tables)
    execute_as_owner(f"TRUNCATE {names}, slas_statement, slas_closedmonth")
