"""Closing a month: statements that are final, equal the ledger, and are written once."""

import threading
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from alliance.errors import Conflict, InvalidInput, NotPermitted, Unavailable
from alliance.models import AuditEntry, Event, Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from slas.credits.audit import audit_credits
from slas.credits.months import month_of, next_month, spell, start_of
from slas.credits.services import closing
from slas.credits.services.closing import books_of, close_month, close_months_over, open_months
from slas.credits.services.entries import work_out_credits
from slas.models import ClosedMonth, Commitment, CreditEntry, Statement
from slas.tasks import close_months
from tests.slas.helpers.commitments import HOUR, NOON, Lane, lane
from tests.slas.helpers.credit_cases import (
    assert_ledger_agrees,
    check,
    credit_others,
    deliver,
    ledger,
    send,
    work,
)

MONTH = month_of(NOON)
AFTER = start_of(next_month(MONTH)) + HOUR
LATER = AFTER + timedelta(days=2)


@pytest.fixture
def _everything(everything: None) -> None:
    """Workers see everything."""


pytestmark = pytest.mark.django_db
seen = pytest.mark.usefixtures("_everything")


def close(month: date = MONTH, *, by: Actor | None = None, now: object = AFTER) -> object:
    return close_month(actor=by or Actor.system("test"), month=month, now=now)


def statements(month: date = MONTH) -> dict[str, tuple[int, int]]:
    result = Statement.objects.filter(month=month).select_related("organisation")
    return {row.organisation.name: (row.entries, row.total_fen) for row in result}


@seen
def test_a_statement_for_each_side_of_each_entry(lane: Lane, rival_merchant: Organisation) -> None:
    send(lane)
    send(Lane(rival_merchant, lane.courier, lane.tier, lane.origin, lane.destination))
    deliver(send(lane), NOON + 25 * HOUR)
    work(NOON + HOUR)
    books = close()
    assert statements() == {"Lotus Tea": (2, 700), "Bamboo Books": (1, 200), "Swift Express": (3, 900)}
    assert (books.entries, books.total_fen, books.statements, books.closed) == (3, 900, 3, True)
    assert_ledger_agrees(NOON + HOUR)


@seen
def test_month_is_not_closed_before_each_worker_has_its_entries(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a cluster: an entry that a killed worker has not committed would come into a final statement.
    send(lane)
    work()

    def refuse() -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(closing, "require_settled", refuse)
        with pytest.raises(Unavailable):
            close()
    assert (statements(), open_months(now=AFTER)) == ({}, [MONTH])
    close()
    assert statements() == {"Lotus Tea": (1, 200), "Swift Express": (1, 200)}


@seen
def test_statements_are_written_slice_by_slice(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_STATE", closing._STATE.replace(str(closing.SLICE), "2"))
    send(lane)
    work()
    others = credit_others(lane, 4, fen=300)
    close()
    own = {f"Merchant {number}": (1, 300) for number in range(len(others))}
    assert statements() == {"Lotus Tea": (1, 200), "Swift Express": (5, 1_400), **own}
    told = Event.objects.filter(topic="statement.closed").values_list("merchant_id", "courier_id")
    assert sorted(told, key=str) == sorted(
        [(lane.merchant.pk, None), *((pk, None) for pk in others), (None, lane.courier.pk)], key=str
    )


@seen
def test_closing_a_closed_month_changes_nothing(lane: Lane, system: Actor) -> None:
    send(lane)
    work()
    first = close()
    written = list(Statement.objects.order_by("pk").values())
    assert close(now=LATER) == first
    assert list(Statement.objects.order_by("pk").values()) == written
    assert AuditEntry.objects.filter(verb="credit_month.closed").count() == 1
    assert Event.objects.filter(topic="statement.closed").count() == 2


@seen
def test_later_corrections_are_in_the_next_month(lane: Lane) -> None:
    parcel = send(lane)
    work()
    close()
    deliver(parcel, NOON - HOUR, now=AFTER)
    work(AFTER)
    assert ledger() == [(200, "overdue"), (-200, "withdrawn")]
    assert statements() == {"Lotus Tea": (1, 200), "Swift Express": (1, 200)}
    close(next_month(MONTH), now=start_of(next_month(next_month(MONTH))))
    assert statements(next_month(MONTH)) == {"Lotus Tea": (1, -200), "Swift Express": (1, -200)}
    assert_ledger_agrees(AFTER)


@seen
def test_entries_that_cancel_out_give_a_statement_of_zero(lane: Lane) -> None:
    parcel = send(lane)
    work()
    deliver(parcel, NOON - HOUR, now=NOON + HOUR)
    work()
    close()
    assert statements() == {"Lotus Tea": (2, 0), "Swift Express": (2, 0)}


@seen
def test_a_month_without_entries_closes_with_no_statement() -> None:
    close()
    assert ClosedMonth.objects.get().month == MONTH
    assert statements() == {}


@seen
@pytest.mark.parametrize("now", [NOON, start_of(next_month(MONTH)) - timedelta(seconds=1)])
def test_a_month_that_is_not_over_stays_open(now: object) -> None:
    with pytest.raises(InvalidInput, match="not over yet") as refused:
        close(now=now)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/month", "not_over")]
    assert not ClosedMonth.objects.exists()


@seen
def test_months_are_closed_in_order(lane: Lane) -> None:
    send(lane)
    work()
    following = next_month(MONTH)
    now = start_of(next_month(following)) + HOUR
    with pytest.raises(Conflict, match=f"Close {spell(MONTH)} first"):
        close(following, now=now)
    assert open_months(now=now) == [MONTH, following]
    assert [books.month for books in close_months_over(actor=Actor.system("test"), now=now)] == [
        MONTH,
        following,
    ]
    assert open_months(now=now) == []


@seen
def test_only_ops_close(merchant: Actor, courier: Actor) -> None:
    for actor in (merchant, courier):
        with pytest.raises(NotPermitted):
            close(by=actor)


@seen
def test_statements_are_announced_each_to_its_own_side(lane: Lane) -> None:
    send(lane)
    work()
    close()
    events = {
        (event.merchant_id, event.courier_id): event.payload
        for event in Event.objects.filter(topic="statement.closed")
    }
    payload = {"month": spell(MONTH), "entries": 1, "total": "2.00", "currency": "CNY"}
    assert events == {(lane.merchant.pk, None): payload, (None, lane.courier.pk): payload}


@seen
@pytest.mark.parametrize("change", ["UPDATE {} SET total_fen = 1", "DELETE FROM {}"])
def test_statement_cannot_be_edited(lane: Lane, change: str) -> None:
    send(lane)
    work()
    close()
    raw_rows(change.format("slas_statement"))
    assert statements() == {"Lotus Tea": (1, 200), "Swift Express": (1, 200)}


@seen
def test_the_audit_finds_a_statement_that_is_not_the_ledger(lane: Lane, rival_courier: Organisation) -> None:
    send(lane)
    work()
    close()
    assert_ledger_agrees(NOON + HOUR)
    Statement.objects.create(organisation=rival_courier, month=MONTH, entries=1, total_fen=900)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO slas_creditentry (parcel_id, kind, merchant_id, courier_id, tier_id, schedule_id,"
            " amount_fen, cause, at, due_at, month) SELECT parcel_id, kind, merchant_id, courier_id, tier_id,"
            " schedule_id, 5, cause, at, due_at, month FROM slas_creditentry RETURNING 1"
        )
    result = [str(difference) for difference in audit_credits(now=NOON + HOUR)]
    assert len(result) == 4
    assert result[0].endswith("credited with 2.05 instead of 2.00")
    assert result[1:] == [
        f"statement of organisation {organisation.pk}, {spell(MONTH)}: {said}"
        for organisation, said in sorted(
            [
                (lane.merchant, "1 entries over 2.00 instead of 2 over 2.05"),
                (lane.courier, "1 entries over 2.00 instead of 2 over 2.05"),
                (rival_courier, "1 entries over 9.00 instead of 0 over 0.00"),
            ],
            key=lambda pair: pair[0].pk,
        )
    ]


# --- the command and the task ------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("close_month", *arguments, stdout=out)
    return out.getvalue().strip()


@seen
def test_command_closes_a_month_and_reports_it() -> None:
    assert run("2020-01", "--dry-run").startswith("2020-01 would be closed: 0 entries")
    assert not ClosedMonth.objects.exists()
    assert run("2020-01") == "2020-01 is closed: 0 entries, 0 statements, CNY 0.00 in total."
    assert run("2020-01") == "2020-01 is closed: 0 entries, 0 statements, CNY 0.00 in total."


@seen
def test_the_command_closes_all_that_is_over_when_no_month_is_named() -> None:
    assert "is closed: 0 entries" in run()
    assert run() == "All past months are closed."


@seen
@pytest.mark.parametrize(("month", "message"), [("2020-1", "YYYY-MM"), ("2084-01", "not over yet")])
def test_command_explains_refused_months(month: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(month)


@seen
def test_the_task_may_run_twice() -> None:
    assert (close_months(), close_months()) == (1, 0)


# --- side by side ------------------------------------------------------------------------------


def in_thread(errors: list[BaseException], work_: object) -> threading.Thread:
    def run_() -> None:
        try:
            work_()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 -- handed to the test
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run_)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_closing_waits_for_entries_being_written(
    merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    with scope(Scope.everything()):
        here = lane(merchant_organisation, courier_organisation)
        send(here)
    errors: list[BaseException] = []

    def close_it() -> None:
        with scope(Scope.everything()):
            close()

    # As the writer does: shared lock, month looked up, entries not committed yet.
    with scope(Scope.everything()):
        Commitment.objects.update(outcome="overdue")
        check(Commitment.objects.get().parcel_id)
    with scope(Scope.everything()):
        assert work_out_credits(now=NOON + HOUR).entries == 1
        thread = in_thread(errors, close_it)
        thread.join(0.7)
        assert thread.is_alive()
        with scope(Scope.everything()):
            assert not ClosedMonth.objects.exists()
    thread.join(20)
    assert errors == []
    with scope(Scope.everything()):
        assert statements() == {"Lotus Tea": (1, 200), "Swift Express": (1, 200)}


@pytest.mark.django_db(transaction=True)
def test_entries_wait_for_a_closing_and_go_into_the_next_month(
    merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    with scope(Scope.everything()):
        here = lane(merchant_organisation, courier_organisation)
        send(here)
        Commitment.objects.update(outcome="overdue")
        check(Commitment.objects.get().parcel_id)
    errors: list[BaseException] = []
    with scope(Scope.everything()):
        close()
        thread = in_thread(errors, lambda: work_out_credits(now=NOON + HOUR))
        thread.join(0.7)
        assert thread.is_alive()
    thread.join(20)
    assert errors == []
    with scope(Scope.everything()):
        assert [entry.month for entry in CreditEntry.objects.all()] == [next_month(MONTH)]
        assert statements() == {}


@pytest.mark.django_db(transaction=True)
def test_writers_and_closers_side_by_side_leave_statements_that_equal_the_ledger(
    merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    with scope(Scope.everything()):
        here = lane(merchant_organisation, courier_organisation)
        parcels = [send(here) for _ in range(120)]
        Commitment.objects.update(outcome="overdue")
        for parcel in parcels:
            check(parcel)
    errors: list[BaseException] = []

    def write() -> None:
        for _ in range(40):
            work_out_credits(now=NOON + HOUR, limit=3, budget=-1)

    def close_it() -> None:
        for _ in range(10):
            with scope(Scope.everything()):
                close()

    threads = [in_thread(errors, job) for job in (write, close_it, write, close_it)]
    for thread in threads:
        thread.join(60)
    work_out_credits(now=NOON + HOUR)
    assert errors == []
    with scope(Scope.everything()):
        assert CreditEntry.objects.count() == 120
        assert ClosedMonth.objects.count() == 1
        assert set(CreditEntry.objects.values_list("month", flat=True)) <= {MONTH, next_month(MONTH)}
        assert books_of(MONTH).entries + books_of(next_month(MONTH)).entries == 120
    assert_ledger_agrees(NOON + HOUR)
