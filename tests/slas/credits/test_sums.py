"""The sums that statements are read from hold what the ledger holds, whoever wrote it."""

import pytest

from alliance.tenancy import Actor, Scope, raw_rows, scope
from slas.credits.accounts import Account
from slas.credits.audit import audit_credits
from slas.credits.months import month_of, spell
from slas.credits.services.sums import add_entries
from slas.credits.statements import months_of
from slas.models import CreditFold, CreditSum
from tests.slas.helpers.commitments import HOUR, NOON, Lane
from tests.slas.helpers.credit_cases import assert_ledger_agrees, credit_others, deliver, send, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def credited(lane: Lane) -> Lane:
    """One delivery that was overdue and then on time, and one that is late."""
    with scope(Scope.everything()):
        punctual, late = send(lane), send(lane)
        work(NOON + HOUR)
        deliver(punctual, NOON - HOUR, now=NOON + HOUR)
        deliver(late, NOON + 24 * HOUR)
        work(NOON + HOUR)
    return lane


def sums() -> list[tuple[str, int, int, int]]:
    with scope(Scope.everything()):
        rows = CreditSum.objects.order_by("cause")
        return list(rows.values_list("cause", "entry_count", "credited_fen", "taken_back_fen"))


def test_sums_are_by_cause(credited: Lane) -> None:
    assert sums() == [("late", 1, 300, 0), ("overdue", 2, 400, 0), ("withdrawn", 1, 0, -200)]
    assert_ledger_agrees(NOON + HOUR)


def test_nothing_is_added_twice(credited: Lane) -> None:
    before = sums()
    with scope(Scope.everything()):
        assert add_entries() is False
    work(NOON + HOUR)
    assert sums() == before


def test_entries_from_before_are_added_in_slices_and_read_from_the_ledger_until_then(
    credited: Lane, courier: Actor
) -> None:
    with scope(Scope.everything()):
        CreditFold.objects.all().delete()
        CreditSum.objects.all().delete()
        account = Account(credited.courier, courier)
        # Ids of earlier tests, too.
        [(first,)] = raw_rows("SELECT min(id) FROM slas_creditentry")
        assert add_entries(limit=first) is True
        assert [(month.entries, month.total_fen) for month in months_of(account, now=NOON)] == [(4, 500)]
        assert add_entries(limit=2) is True
        assert add_entries() is False
        assert [(month.entries, month.total_fen) for month in months_of(account, now=NOON)] == [(4, 500)]
    assert [number for _cause, number, *_fen in sums()] == [1, 2, 1]


def test_entries_of_the_release_before_are_added_by_the_next_run(credited: Lane) -> None:
    credit_others(credited, 1, fen=700)
    assert sum(number for _cause, number, *_fen in sums()) == 5


def test_audit_names_a_wrong_sum(credited: Lane) -> None:
    with scope(Scope.everything()):
        CreditSum.objects.filter(cause="late").update(credited_fen=301)
        [found] = audit_credits(now=NOON + HOUR)
    month = spell(month_of(NOON + HOUR))
    assert str(found) == (
        f"sums of courier {credited.courier.pk}, {month}: 4 entries over 5.01 instead of 4 over 5.00"
    )
