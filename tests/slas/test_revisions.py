"""Later days agreed on: who may write them, until when, and what they change."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from alliance.choices import Role
from alliance.errors import AllianceError, Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import AuditEntry, Event, Organisation
from alliance.services import actor_of_organisation, actor_of_user
from alliance.tenancy import Actor, Scope, raw_rows, scope
from slas.choices import Outcome, RevisionParty
from slas.models import Breach, Closure, Commitment, Revision, TierVersion
from slas.services.commitments import Milestone as Reached
from slas.services.commitments import mark_lost, settle, void_commitments
from slas.services.revisions import (
    Promised,
    RevisionRequest,
    days_to_choose,
    promised_delivery,
    revise_delivery,
)
from slas.services.sweeping import sweep_overdue
from slas.services.tallies import fold_tallies
from tests import factories
from tests.slas import judging
from tests.slas.judging import DAY, DELIVERY, HOUR, NOON, Lane
from tests.slas.offering import in_threads

pytestmark = pytest.mark.django_db
RECIPIENT, MERCHANT = RevisionParty.RECIPIENT, RevisionParty.MERCHANT
# 20:00 in China on the day of the tests, and the days after it.
EVENING = NOON + 8 * HOUR
TODAY = NOON.date()


def day(ahead: int) -> date:
    return TODAY + timedelta(days=ahead)


def revise(
    actor: Actor,
    parcel_id: int,
    ahead: int = 2,
    by: str = RECIPIENT,
    reason: str = "Away until then",
    *,
    now: datetime = NOON,
) -> Revision:
    with scope(Scope.of(actor)):
        asked = RevisionRequest(day(ahead), by, reason)
        return revise_delivery(actor=actor, parcel_id=parcel_id, asked=asked, now=now)


def commitment(parcel_id: int) -> Commitment:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel_id, kind=DELIVERY)


def standing(parcel_id: int) -> Promised:
    found = promised_delivery(parcel_id=parcel_id)
    assert found is not None
    return found


def offered(parcel_id: int, by: RevisionParty = RECIPIENT) -> list[date]:
    """The days a party could choose, in the caller's scope."""
    promised = standing(parcel_id)
    found = days_to_choose(promised=promised, parties=[by], now=NOON)
    return [item.day for item in found]


def why(refused: pytest.ExceptionInfo[AllianceError]) -> str:
    return refused.value.reason


@pytest.fixture
def parcel_id(lane: Lane) -> int:
    """A delivery promised for 20:00 tonight."""
    with scope(Scope.everything()):
        return lane.promise(EVENING)


# --- what a revision changes -------------------------------------------------------------------


def test_the_recipients_day_is_what_on_time_is_judged_by(parcel_id: int, merchant: Actor) -> None:
    revision = revise(merchant, parcel_id)
    moved = commitment(parcel_id)
    assert moved.due_at == moved.revised_due_at == revision.due_at == EVENING + 2 * DAY
    assert (revision.previous_due_at, revision.judged) == (EVENING, True)
    with scope(Scope.everything()):
        assert sweep_overdue(now=EVENING + DAY).overdue == 0
        judging.reach(parcel_id, EVENING + DAY, now=EVENING + DAY)
        assert judging.outcome(parcel_id) == Outcome.MET
        judging.assert_books_agree()


def test_what_the_merchant_agreed_to_is_recorded_and_judged_by_the_promise(
    parcel_id: int, merchant: Actor
) -> None:
    revision = revise(merchant, parcel_id, by=MERCHANT)
    kept = commitment(parcel_id)
    assert (kept.due_at, kept.revised_due_at, revision.judged) == (EVENING, EVENING + 2 * DAY, False)
    with scope(Scope.everything()):
        judging.reach(parcel_id, EVENING + DAY, now=EVENING + DAY)
        assert judging.outcome(parcel_id) == Outcome.LATE
        judging.assert_books_agree()


def test_the_cohort_stays_that_of_the_original_promise(parcel_id: int, merchant: Actor, lane: Lane) -> None:
    before = commitment(parcel_id).due_date
    revise(merchant, parcel_id, 20)
    assert commitment(parcel_id).due_date == before
    with scope(Scope.everything()):
        judging.reach(parcel_id, EVENING + 20 * DAY, now=EVENING + 20 * DAY)
        fold_tallies()
        assert judging.counts(lane.courier) == {"met": 1}
        judging.assert_books_agree()


def test_each_revision_stands_beside_the_one_before(parcel_id: int, merchant: Actor) -> None:
    revise(merchant, parcel_id, 2)
    revise(merchant, parcel_id, 4, MERCHANT, "The lorry broke down")
    revise(merchant, parcel_id, 6)
    with scope(Scope.of(merchant)):
        found = standing(parcel_id).revisions
    assert [(item.previous_due_at - EVENING, item.due_at - EVENING, item.judged) for item in found] == [
        (0 * DAY, 2 * DAY, True),
        (2 * DAY, 4 * DAY, False),
        (4 * DAY, 6 * DAY, True),
    ]
    assert commitment(parcel_id).due_at == EVENING + 6 * DAY


def test_who_and_why_is_told_and_recorded(parcel_id: int, merchant: Actor) -> None:
    revision = revise(merchant, parcel_id, by=MERCHANT, reason="  Out of stock  ")
    assert (revision.reason, revision.label, revision.agreed_by) == ("Out of stock", "merchant owner", None)
    with scope(Scope.everything()):
        event = Event.objects.get(topic="commitment.revised")
        assert (event.parcel_id, event.merchant_id) == (parcel_id, merchant.organisation_id)
        assert event.courier_id == revision.courier_id
        said = {name: event.payload[name] for name in ("requested_by", "judged")}
        assert said == {"requested_by": "merchant", "judged": False}
        entry = AuditEntry.objects.get(verb="commitment.revised")
        # Why is on the revision alone, where it can be erased.
        assert "Out of stock" not in f"{event.payload} {entry.detail}"
        assert (entry.object_id, entry.actor_label) == (f"{parcel_id}:delivery", "merchant owner")


def test_the_hour_is_that_of_the_version_that_made_the_promise(
    lane: Lane, merchant: Actor, system: Actor
) -> None:
    with scope(Scope.everything()):
        newest = TierVersion.objects.filter(tier=lane.tier).latest("number")
        newest.pk, newest.number, newest.valid_from = None, newest.number + 1, NOON - HOUR
        newest.deliver_by = "21:30"
        newest.save(force_insert=True)
        old = TierVersion.objects.get(tier=lane.tier, number=newest.number - 1)
        with_old, with_none = lane.promise(EVENING, version_id=old.pk), lane.promise(EVENING)
    assert revise(merchant, with_old).due_at == EVENING + 2 * DAY
    # Of before we made any rules: those in force now.
    assert revise(merchant, with_none).due_at == EVENING + 2 * DAY + 90 * timedelta(minutes=1)


# --- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.OWNER, Role.AGENT, Role.VIEWER])
def test_a_courier_cannot_write_one(parcel_id: int, courier_organisation: Organisation, role: str) -> None:
    courier = actor_of_organisation(courier_organisation, kind="user", role=role, label="courier")
    for by in RevisionParty:
        with pytest.raises(NotPermitted):
            revise(courier, parcel_id, by=by)
    assert commitment(parcel_id).revised_due_at is None


def test_a_merchants_viewer_cannot_write_one(parcel_id: int, merchant_organisation: Organisation) -> None:
    viewer = actor_of_organisation(merchant_organisation, kind="user", role=Role.VIEWER)
    with pytest.raises(NotPermitted):
        revise(viewer, parcel_id)


def test_another_merchants_parcel_is_not_there(parcel_id: int, rival_merchant: Organisation) -> None:
    stranger = actor_of_organisation(rival_merchant, kind="user", role=Role.OWNER)
    with pytest.raises(NotFound):
        revise(stranger, parcel_id)
    with scope(Scope.of(stranger)):
        assert promised_delivery(parcel_id=parcel_id) is None


def test_ops_write_one_for_anybody(parcel_id: int, system: Actor) -> None:
    assert revise(system, parcel_id).label == "test"


def test_ops_who_belong_to_the_courier_write_none_for_it(
    parcel_id: int, courier_organisation: Organisation
) -> None:
    both = factories.member_user("both@alliance.example", courier_organisation)
    both.is_staff = True
    both.save()
    with pytest.raises(NotPermitted) as refused:
        revise(actor_of_user(both), parcel_id)
    assert why(refused) == "own_courier"


def test_both_parties_read_it_and_nobody_else(
    parcel_id: int, merchant: Actor, courier: Actor, rival_courier: Organisation
) -> None:
    revise(merchant, parcel_id)
    seen = {}
    for name, who in {
        "merchant": Scope.of(merchant),
        "courier": Scope.of(courier),
        "tracking": Scope.parcel(parcel_id),
        "another parcel": Scope.parcel(parcel_id + 1),
        "rival": Scope.courier(rival_courier.pk),
        "nobody": Scope.nothing(),
    }.items():
        with scope(who):
            seen[name] = Revision.objects.count()
    assert seen == {"merchant": 1, "courier": 1, "tracking": 1, "another parcel": 0, "rival": 0, "nobody": 0}


# --- until when --------------------------------------------------------------------------------


@pytest.mark.parametrize(("late", "allowed"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_the_recipient_asks_until_the_promised_moment(
    parcel_id: int, merchant: Actor, late: timedelta, allowed: bool
) -> None:
    now = EVENING + late
    if allowed:
        assert revise(merchant, parcel_id, now=now).judged
        return
    # Whether the sweep has been there or not.
    for _sweep in range(2):
        with pytest.raises(Conflict) as refused:
            revise(merchant, parcel_id, now=now)
        assert why(refused) == "past_due"
        assert "cannot undo the lateness" in refused.value.detail
        with scope(Scope.everything()):
            sweep_overdue(now=now)


def test_the_recipient_cannot_undo_a_lateness_that_the_merchant_put_off(
    parcel_id: int, merchant: Actor
) -> None:
    revise(merchant, parcel_id, 5, MERCHANT)
    with pytest.raises(Conflict) as refused:
        revise(merchant, parcel_id, 7, now=EVENING + DAY)
    assert why(refused) == "past_due"


def test_a_merchant_may_agree_when_it_is_overdue_and_the_breach_stands(
    parcel_id: int, merchant: Actor
) -> None:
    with scope(Scope.everything()):
        sweep_overdue(now=EVENING + HOUR)
    revise(merchant, parcel_id, 3, MERCHANT, now=EVENING + 2 * HOUR)
    overdue = commitment(parcel_id)
    assert (overdue.outcome, overdue.due_at) == (Outcome.OVERDUE, EVENING)
    assert overdue.revised_due_at == EVENING + 3 * DAY
    with scope(Scope.everything()):
        assert Breach.objects.standing().filter(parcel_id=parcel_id).exists()
        judging.assert_books_agree()


@pytest.mark.parametrize("by", RevisionParty.values)
@pytest.mark.parametrize("end", ["met", "late", "void", "lost"])
def test_what_is_settled_is_not_moved(parcel_id: int, merchant: Actor, by: str, end: str) -> None:
    with scope(Scope.everything()):
        match end:
            case "met":
                judging.reach(parcel_id, NOON - HOUR)
            case "late":
                settle([Reached(parcel_id, DELIVERY, EVENING + HOUR)], now=EVENING + 2 * HOUR)
            case "void":
                void_commitments(parcel_ids=[parcel_id], at=NOON)
            case "lost":
                mark_lost(lost={parcel_id: NOON}, now=NOON)
    with pytest.raises(Conflict) as refused:
        revise(merchant, parcel_id, by=by)
    assert why(refused) == ("lost" if end == "lost" else "settled")


@pytest.mark.parametrize(("by", "most"), [(RECIPIENT, 2), (MERCHANT, 5)])
def test_each_party_asks_so_often_and_no_more(
    parcel_id: int, merchant: Actor, by: RevisionParty, most: int
) -> None:
    for ahead in range(1, most + 1):
        revise(merchant, parcel_id, ahead, by)
    with pytest.raises(Conflict) as refused:
        revise(merchant, parcel_id, most + 1, by)
    assert why(refused) == "too_many_revisions"
    with scope(Scope.of(merchant)):
        assert offered(parcel_id, by) == []
        assert offered(parcel_id, MERCHANT if by == RECIPIENT else RECIPIENT)


# --- which day ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(0, "after the one agreed on"), (-3, "after the one agreed on"), (31, "Choose a day until")],
)
def test_a_day_out_of_reach_is_refused_with_the_first_or_last_that_is(
    parcel_id: int, merchant: Actor, ahead: int, said: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        revise(merchant, parcel_id, ahead)
    [error] = refused.value.errors
    assert error.pointer == "/day"
    assert said in error.message


def test_a_day_the_destination_is_closed_is_refused_by_name(parcel_id: int, merchant: Actor) -> None:
    Closure.objects.create(date=day(2), country="CN", name="Typhoon", announced_at=NOON - DAY)
    with pytest.raises(InvalidInput) as refused:
        revise(merchant, parcel_id, 2)
    assert "closed" in refused.value.errors[0].message
    assert "Typhoon" in refused.value.errors[0].message
    with scope(Scope.of(merchant)):
        assert offered(parcel_id)[:3] == [day(1), day(3), day(4)]


def test_every_day_offered_is_taken_and_no_other(lane: Lane, merchant: Actor) -> None:
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
def test_what_is_said_of_it_is_looked_at(
    parcel_id: int, merchant: Actor, by: str, reason: str, pointer: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        revise(merchant, parcel_id, by=by, reason=reason)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


def test_a_recipient_need_not_say_why(parcel_id: int, merchant: Actor) -> None:
    assert revise(merchant, parcel_id, reason="").reason == ""


# --- the database's own rules ------------------------------------------------------------------


def row(lane: Lane, **given: Any) -> Revision:
    values = {
        "parcel_id": 1, "kind": DELIVERY, "merchant": lane.merchant, "courier_id": lane.courier.pk,
        "requested_by": RECIPIENT, "previous_due_at": NOON, "due_at": NOON + DAY,
        "judged": True, "label": "x",
    }  # fmt: skip
    return Revision(**{**values, **given})


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"due_at": NOON}, "revision_is_later"),
        ({"requested_by": MERCHANT}, "revision_judged_for_recipient"),
    ],
)
def test_the_database_refuses_what_no_service_writes(
    lane: Lane, everything: None, given: dict[str, Any], rule: str
) -> None:
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        row(lane, **given).save()
    row(lane).save()


def test_the_tracking_pages_scope_writes_none(parcel_id: int, lane: Lane) -> None:
    revision = row(lane, parcel_id=parcel_id)
    with pytest.raises(DatabaseError, match="row-level security"), scope(Scope.parcel(parcel_id)):
        revision.save()


# --- races -------------------------------------------------------------------------------------


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
            settle(
                [Reached(parcel_id, DELIVERY, EVENING + HOUR) for parcel_id in parcels], now=EVENING + HOUR
            )

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
        judging.assert_books_agree()


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_at_once_get_no_more_than_the_limit(lane: Lane, merchant: Actor) -> None:
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
