"""Revisions: deadlines, number and possible days."""

from datetime import timedelta

import pytest

from alliance.errors import Conflict, InvalidInput
from alliance.tenancy import Actor, Scope, scope
from slas.choices import Outcome, RevisionParty
from slas.commitments.services.settling import Milestone as Reached
from slas.commitments.services.settling import mark_lost, settle, void_commitments
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Breach, Closure
from tests.slas.helpers import commitments
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, Lane
from tests.slas.helpers.revisions import EVENING, MERCHANT, RECIPIENT, commitment, day, offered, revise, why

pytestmark = pytest.mark.django_db


# --- until when --------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [RECIPIENT, MERCHANT])
@pytest.mark.parametrize(("late", "judged"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_change_counts_until_the_promised_moment(
    parcel_id: int, merchant: Actor, by: RevisionParty, late: timedelta, judged: bool
) -> None:
    # Whether the sweep has been there or not.
    assert revise(merchant, parcel_id, by=by, now=EVENING + late).judged is judged
    with scope(Scope.everything()):
        sweep_overdue(now=EVENING + late)
    assert revise(merchant, parcel_id, 3, by=by, now=EVENING + late).judged is judged


@pytest.mark.parametrize("by", [RECIPIENT, MERCHANT])
def test_a_day_agreed_when_it_is_overdue_leaves_the_breach(
    parcel_id: int, merchant: Actor, by: RevisionParty
) -> None:
    with scope(Scope.everything()):
        sweep_overdue(now=EVENING + HOUR)
    revise(merchant, parcel_id, 3, by, now=EVENING + 2 * HOUR)
    overdue = commitment(parcel_id)
    assert (overdue.outcome, overdue.due_at) == (Outcome.OVERDUE, EVENING)
    assert overdue.revised_due_at == EVENING + 3 * DAY
    with scope(Scope.everything()):
        assert Breach.objects.standing().filter(parcel_id=parcel_id).exists()
        commitments.assert_books_agree()


@pytest.mark.parametrize("by", RevisionParty.values)
@pytest.mark.parametrize("end", ["delivered", "void", "lost"])
def test_settled_promise_cannot_be_revised(parcel_id: int, merchant: Actor, by: str, end: str) -> None:
    with scope(Scope.everything()):
        match end:
            case "delivered":
                at = NOON - HOUR
                settle([Reached(parcel_id, DELIVERY, at, delivered_at=at)], now=NOON)
            case "void":
                void_commitments(parcel_ids=[parcel_id], at=NOON)
            case "lost":
                mark_lost(lost={parcel_id: NOON}, now=NOON)
    with pytest.raises(Conflict) as error:
        revise(merchant, parcel_id, by=by)
    assert why(error) == ("lost" if end == "lost" else "settled")


@pytest.mark.parametrize(("by", "most"), [(RECIPIENT, 2), (MERCHANT, 5)])
def test_each_party_has_a_limit_of_revisions(
    parcel_id: int, merchant: Actor, by: RevisionParty, most: int
) -> None:
    for ahead in range(1, most + 1):
        revise(merchant, parcel_id, ahead, by)
    with pytest.raises(Conflict) as error:
        revise(merchant, parcel_id, most + 1, by)
    assert why(error) == "too_many_revisions"
    with scope(Scope.of(merchant)):
        assert offered(parcel_id, by) == []
        assert offered(parcel_id, MERCHANT if by == RECIPIENT else RECIPIENT)


# --- which day ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "message"),
    [(0, "after the current one"), (-3, "after the current one"), (31, "Choose a day no later than")],
)
def test_a_day_out_of_reach_is_refused_with_the_first_or_last_that_is(
    parcel_id: int, merchant: Actor, ahead: int, message: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        revise(merchant, parcel_id, ahead)
    [error] = refused.value.errors
    assert error.pointer == "/day"
    assert message in error.message


def test_a_day_the_destination_is_closed_is_refused_by_name(parcel_id: int, merchant: Actor) -> None:
    Closure.objects.create(date=day(2), country="CN", name="Typhoon", announced_at=NOON - DAY)
    with pytest.raises(InvalidInput) as error:
        revise(merchant, parcel_id, 2)
    assert "closed" in error.value.errors[0].message
    assert "Typhoon" in error.value.errors[0].message
    with scope(Scope.of(merchant)):
        assert offered(parcel_id)[:3] == [day(1), day(3), day(4)]


def test_only_offered_days_are_accepted(lane: Lane, merchant: Actor) -> None:
    with scope(Scope.everything()):
        parcels = [lane.promise(EVENING) for _ahead in range(33)]
    with scope(Scope.of(merchant)):
        days = offered(parcels[0])
    for ahead, parcel_id in enumerate(parcels):
        try:
            revise(merchant, parcel_id, ahead)
        except InvalidInput:
            assert day(ahead) not in days
        else:
            assert day(ahead) in days


@pytest.mark.parametrize(
    ("by", "reason", "pointer", "code"),
    [
        ("courier", "x", "/requested_by", "choice"),
        (MERCHANT, "   ", "/reason", "required"),
        (RECIPIENT, "x" * 301, "/reason", "max_length"),
        (MERCHANT, "two\nlines", "/reason", "characters"),
        (MERCHANT, "Call 138 1234 5678", "/reason", "personal"),
        (MERCHANT, "Call １３８１２３４５６７８", "/reason", "personal"),
    ],
)
def test_reason_is_validated(
    parcel_id: int, merchant: Actor, by: str, reason: str, pointer: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        revise(merchant, parcel_id, by=by, reason=reason)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


def test_recipient_needs_no_reason(parcel_id: int, merchant: Actor) -> None:
    assert revise(merchant, parcel_id, reason="").reason == ""
