"""Decisions on excuses: permissions, targets and consequences."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.members.services.actors import actor_of_user
from alliance.models import AuditEntry, Event, Member, Organisation
from alliance.tenancy import ANONYMOUS, Actor, Scope, scope
from slas.choices import Decision, ExcuseReason, ExcuseState
from slas.commitments.services.settling import Milestone, open_commitments, settle, void_commitments
from slas.commitments.services.sweeping import sweep_overdue
from slas.excuses.services.decisions import (
    STEPS,
    DecisionResult,
    ExcuseResult,
    decide_excuses,
    excuse_breach,
    excuse_breaches,
)
from slas.models import Commitment, CreditCheck, Excuse, Tally
from slas.rates.services.folding import fold_tallies
from tests import factories
from tests.slas.helpers.commitments import (
    DAY,
    DELIVERY,
    HOUR,
    NOON,
    PICKUP,
    Lane,
    assert_books_agree,
    counts,
    reach,
)
from tests.slas.helpers.excuses import agent_of, claimed, decided, late_parcel, service, service_user, states


@pytest.fixture
def late(everything: None, lane: Lane) -> int:
    return late_parcel(lane)


@pytest.fixture
def decider(everything: None) -> Actor:
    return service()


def excuse(actor: Actor, parcel_id: int, **fields: str) -> Excuse:
    return excuse_breach(
        actor=actor, parcel_id=parcel_id, **{"kind": DELIVERY, "reason": "weather", **fields}
    )


@pytest.mark.django_db
class TestWhoDecides:
    def test_customer_service_superusers_and_the_system(self, lane: Lane, late: int, decider: Actor) -> None:
        superuser = actor_of_user(factories.user("root@alliance.example", is_staff=True, is_superuser=True))
        for actor in (decider, superuser, Actor.system("test")):
            parcel_id = late_parcel(lane)
            claim = claimed(agent_of(lane.courier), parcel_id)
            assert decided(actor, [claim], "grant").decided == 1
            assert excuse(actor, late_parcel(lane)).decided_by_id == actor.user_id

    def test_other_actors_cannot_decide(self, lane: Lane, late: int, courier: Actor, merchant: Actor) -> None:
        claim = claimed(agent_of(lane.courier), late)
        staff = actor_of_user(factories.staff_user("staff@alliance.example"))
        for actor in (staff, courier, merchant, ANONYMOUS):
            with pytest.raises(NotPermitted):
                decided(actor, [claim], "grant")
            with pytest.raises(NotPermitted):
                excuse(actor, late)
        assert states() == [("claimed", "courier", "weather")]

    def test_members_of_the_courier_cannot_decide(self, lane: Lane, late: int, decider: Actor) -> None:
        claim = claimed(agent_of(lane.courier), late)
        Member.objects.create(organisation=lane.courier, user_id=decider.user_id, role="viewer")
        for decision in Decision:
            with pytest.raises(NotPermitted, match="another person must decide"):
                decided(decider, [claim], decision)
        other = late_parcel(lane)
        with pytest.raises(NotPermitted, match="another person must decide"):
            excuse(decider, other)
        with pytest.raises(NotPermitted, match="another person must decide"):
            excuse_breaches(actor=decider, keys=[(other, DELIVERY)], reason="weather")

    def test_one_of_the_own_courier_does_not_fail_the_others(
        self, lane: Lane, late: int, decider: Actor, rival_courier: Organisation
    ) -> None:
        own, other = claimed(agent_of(lane.courier), late), claimed(agent_of(lane.courier), late_parcel(lane))
        Member.objects.create(organisation=rival_courier, user_id=decider.user_id, role="viewer")
        Excuse.objects.filter(pk=own.pk).update(courier_id=rival_courier.pk)
        assert decided(decider, [own, other], "grant") == DecisionResult(decided=1, barred=1)
        own.refresh_from_db()
        assert own.state == ExcuseState.CLAIMED

    def test_inactive_users_cannot_decide(self, late: int) -> None:
        gone = actor_of_user(service_user("gone@alliance.example", is_active=False))
        with pytest.raises(NotPermitted):
            excuse(gone, late)


# From a state by a decision: what becomes of it, and whether the breach is excused then.
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "state", "excused"),
    [
        (["grant"], "granted", True),
        (["decline"], "declined", False),
        (["grant", "revoke"], "revoked", False),
        (["grant", "grant"], "granted", True),
        (["grant", "decline"], "granted", True),
        (["decline", "grant"], "declined", False),
        (["decline", "revoke"], "declined", False),
        (["revoke"], "claimed", False),
        (["grant", "revoke", "grant"], "revoked", False),
    ],
    ids=lambda value: " then ".join(value) if isinstance(value, list) else str(value),
)
def test_decisions(lane: Lane, late: int, decider: Actor, path: list[str], state: str, excused: bool) -> None:
    claim = claimed(agent_of(lane.courier), late)
    for decision in path:
        decided(decider, [claim], decision)
    assert states() == [(state, "courier", "weather")]
    commitment = Commitment.objects.get(parcel_id=late)
    assert (commitment.excused, commitment.excuse_reason) == (excused, "weather" if excused else "")
    fold_tallies()
    assert counts(lane.courier) == counts(lane.merchant) == {"late": 1, **({"excused": 1} if excused else {})}
    assert_books_agree()


def test_the_table_of_decisions_is_whole() -> None:
    assert set(STEPS) == set(Decision)
    assert {after for _before, after in STEPS.values()} == {
        ExcuseState.GRANTED,
        ExcuseState.DECLINED,
        ExcuseState.REVOKED,
    }


@pytest.mark.django_db
class TestDeciding:
    def test_decision_records_person_time_and_note(self, lane: Lane, late: int, decider: Actor) -> None:
        claim = claimed(agent_of(lane.courier), late)
        assert decided(decider, [claim], "decline", " No proof. ") == DecisionResult(decided=1)
        claim.refresh_from_db()
        assert (claim.decision_note, claim.decided_by_id) == ("No proof.", decider.user_id)
        assert claim.decided_at == NOON + 3 * HOUR
        entry = AuditEntry.objects.get(verb="excuse.declined")
        assert (entry.organisation_id, entry.detail["excuses"]) == (lane.courier.pk, [claim.pk])
        assert Event.objects.get(topic="excuse.declined").payload == {
            "kind": "delivery",
            "reason": "weather",
            "excuse": claim.pk,
        }

    @pytest.mark.parametrize("decision", ["decline", "revoke"])
    def test_against_the_courier_needs_a_reason(
        self, lane: Lane, late: int, decider: Actor, decision: str
    ) -> None:
        claim = claimed(agent_of(lane.courier), late)
        with pytest.raises(InvalidInput) as caught:
            decided(decider, [claim], decision, "  ")
        assert caught.value.errors[0].pointer == "/note"
        assert decided(decider, [claim], "grant", "").decided == 1

    def test_wrong_input(self, lane: Lane, late: int, decider: Actor) -> None:
        claim = claimed(agent_of(lane.courier), late)
        for decision, note in (("shrug", "x"), ("grant", "x" * 2001), ("grant", "\0")):
            with pytest.raises(InvalidInput):
                decided(decider, [claim], decision, note)
        with pytest.raises(InvalidInput, match="100000 at once"):
            decide_excuses(actor=decider, keys=[(late, pk) for pk in range(100_001)], decision="grant")
        # Neither an id that is none, nor one of another parcel.
        unknown = [(late, claim.pk + 99), (late + 1, claim.pk)]
        assert decide_excuses(actor=decider, keys=unknown, decision="grant") == DecisionResult(untouched=2)

    @pytest.mark.parametrize("decision", ["grant", "decline"])
    def test_claim_of_a_withdrawn_breach_lapses(
        self, lane: Lane, late: int, decider: Actor, decision: str
    ) -> None:
        agent = agent_of(lane.courier)
        withdrawn, cancelled = late_parcel(lane), lane.promise(NOON - DAY)
        sweep_overdue(now=NOON)
        claims = [claimed(agent, parcel_id) for parcel_id in (late, withdrawn, cancelled)]
        reach(withdrawn, NOON)
        void_commitments(parcel_ids=[cancelled], at=NOON + HOUR)
        assert decided(decider, claims, decision) == DecisionResult(decided=1, lapsed=2)
        assert [state for state, _source, _reason in states()][1:] == ["lapsed", "lapsed"]
        assert Event.objects.filter(topic="excuse.lapsed").count() == 2
        fold_tallies()
        assert_books_agree()

    def test_reopened_breach_can_be_claimed_again(self, lane: Lane, late: int, decider: Actor) -> None:
        agent = agent_of(lane.courier)
        first = claimed(agent, late)
        reach(late, NOON)
        decided(decider, [first], "grant")
        reach(late, NOON + 2 * HOUR, exact=True)
        second_excuse = claimed(agent, late)
        assert decided(decider, [first, second_excuse], "grant") == DecisionResult(decided=1, untouched=1)

    def test_a_granted_excuse_outlives_the_breach(self, lane: Lane, late: int, decider: Actor) -> None:
        decided(decider, [claimed(agent_of(lane.courier), late)], "grant")
        reach(late, NOON)
        fold_tallies()
        assert counts(lane.courier) == {"met": 1}
        reach(late, NOON + 2 * HOUR, exact=True)
        fold_tallies()
        assert counts(lane.courier) == {"late": 1, "excused": 1}
        assert_books_agree()

    def test_touches_credit_and_tells(self, lane: Lane, everything: None, decider: Actor) -> None:
        late = late_parcel(lane, fee_fen=1200)
        CreditCheck.objects.all().delete()
        claim = claimed(agent_of(lane.courier), late)
        assert not CreditCheck.objects.exists()
        decided(decider, [claim], "grant")
        assert CreditCheck.objects.filter(parcel_id=late).count() == 1
        assert Event.objects.get(topic="breach.excused").payload == {"kind": "delivery", "reason": "weather"}
        decided(decider, [claim], "revoke")
        assert CreditCheck.objects.filter(parcel_id=late).count() == 2
        assert Event.objects.filter(topic="breach.excuse_lifted").count() == 1

    def test_thousands_in_a_moment(self, lane: Lane, decider: Actor, everything: None) -> None:
        many = 2_000
        for _part in range(2):
            late_parcels(lane, many // 2)
        rows = Commitment.objects.values_list("parcel_id", "merchant_id", "courier_id")
        reasons = ExcuseReason.values
        Excuse.objects.bulk_create(
            Excuse(
                parcel_id=parcel_id, kind=DELIVERY, merchant_id=merchant_id, courier_id=courier_id,
                reason=reasons[parcel_id % len(reasons)], source="courier", state="claimed",
            )
            for parcel_id, merchant_id, courier_id in rows
        )  # fmt: skip
        claims = list(Excuse.objects.all())
        began = time.perf_counter()
        assert decided(decider, claims, "grant") == DecisionResult(decided=many)
        took = time.perf_counter() - began
        assert took < 10, f"{took:.1f} s"
        fold_tallies()
        assert counts(lane.courier) == {"late": many, "excused": many}
        assert_books_agree()


def late_parcels(lane: Lane, count: int) -> None:
    drafts = [lane.draft() for _number in range(count)]
    open_commitments(drafts)
    settle([Milestone(draft.parcel_id, DELIVERY, NOON + HOUR) for draft in drafts], now=NOON + HOUR)


@pytest.mark.django_db
class TestExcusingDirectly:
    def test_excused_breach_stays_and_counts_as_excused(self, lane: Lane, late: int, decider: Actor) -> None:
        claim = excuse(decider, late, note=" Typhoon ")
        assert (claim.reason, claim.note, claim.courier_id) == ("weather", "Typhoon", lane.courier.pk)
        assert (claim.state, claim.source, claim.decided_by_id) == ("granted", "ops", decider.user_id)
        fold_tallies()
        assert counts(lane.courier) == counts(lane.merchant) == {"late": 1, "excused": 1}
        assert_books_agree()

    def test_again_returns_the_first_decision(self, late: int, system: Actor) -> None:
        first = excuse(system, late)
        tallies = Tally.objects.count()
        second_excuse = excuse(system, late, reason="disaster")
        assert (second_excuse.pk, second_excuse.reason) == (first.pk, "weather")
        assert Tally.objects.count() == tallies

    def test_direct_excuse_reverses_a_declined_claim(self, lane: Lane, late: int, decider: Actor) -> None:
        decided(decider, [claimed(agent_of(lane.courier), late)], "decline")
        excuse(decider, late, reason="disaster")
        assert states() == [("declined", "courier", "weather"), ("granted", "ops", "disaster")]

    def test_leaves_a_claim_to_be_decided(self, lane: Lane, late: int, decider: Actor) -> None:
        claimed(agent_of(lane.courier), late)
        with pytest.raises(Conflict, match="decide on that"):
            excuse(decider, late)

    def test_reaches_late_after_overdue(self, lane: Lane, everything: None, system: Actor) -> None:
        parcel_id = lane.promise(NOON - DAY)
        sweep_overdue(now=NOON)
        excuse(system, parcel_id)
        reach(parcel_id, NOON + HOUR)
        fold_tallies()
        assert counts(lane.courier) == {"late": 1, "excused": 1}
        assert_books_agree()

    def test_inconsistent_input_is_refused(self, lane: Lane, late: int, system: Actor) -> None:
        with pytest.raises(InvalidInput):
            excuse(system, late, reason="bad luck")
        with pytest.raises(NotFound):
            excuse(system, 12345)
        with pytest.raises(NotFound):
            excuse(system, late, kind=PICKUP)
        with pytest.raises(Conflict):
            excuse(system, lane.promise(NOON + 5 * DAY))
        assert states() == []

    def test_bulk_excuse_reports_the_result_of_each(self, lane: Lane, late: int, decider: Actor) -> None:
        before, waiting, gone = (late_parcel(lane) for _number in range(3))
        excuse(decider, before)
        claimed(agent_of(lane.courier), waiting)
        reach(gone, NOON)
        keys = [(parcel_id, DELIVERY) for parcel_id in (late, late, before, waiting, gone, 12345)]
        result = excuse_breaches(actor=decider, keys=keys, reason="disaster", note="Flood")
        assert result == ExcuseResult(excused=1, gone=2, waiting=1, already=1)
        assert excuse_breaches(actor=decider, keys=[], reason="disaster") == ExcuseResult()
        fold_tallies()
        assert_books_agree()

    def test_too_many_are_refused(self, decider: Actor) -> None:
        keys = [(number, DELIVERY) for number in range(100_001)]
        with pytest.raises(InvalidInput) as caught:
            excuse_breaches(actor=decider, keys=keys, reason="weather")
        assert caught.value.errors[0].code == "max_length"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["scan", "decision"])
def test_decision_and_punctual_scan_at_once_agree(lane: Lane, system: Actor, first: str) -> None:
    """The second writer must see the first: the excuse counts only if the breach is open."""
    agent = agent_of(lane.courier)
    for _ in range(4):
        with scope(Scope.everything()):
            parcel_id = late_parcel(lane)
        made = claimed(agent, parcel_id)

        def decide(made: Excuse = made) -> None:
            try:
                with scope(Scope.everything()):
                    decided(system, [made], "grant")
            finally:
                connection.close()

        deciding = threading.Thread(target=decide)
        if first == "decision":
            deciding.start()
        with scope(Scope.everything()):
            reach(parcel_id, NOON)
            if first == "scan":
                # The decision waits for the lock that this scan holds.
                deciding.start()
                time.sleep(timedelta(milliseconds=50).total_seconds())
        deciding.join()
        with scope(Scope.everything()):
            made.refresh_from_db()
            assert made.state in ("granted", "lapsed")
            assert made.state == "lapsed" or first == "decision"
            fold_tallies()
            assert_books_agree()
            assert "excused" not in counts(lane.courier)


@pytest.mark.django_db(transaction=True)
def test_two_decisions_at_once_are_one(lane: Lane, system: Actor) -> None:
    with scope(Scope.everything()):
        claims = [claimed(agent_of(lane.courier), late_parcel(lane)) for _number in range(5)]
    result: list[DecisionResult] = []

    def decide(decision: str) -> None:
        try:
            with scope(Scope.everything()):
                result.append(decided(system, claims, decision))
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=[step]) for step in ("grant", "decline", "grant")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.decided for each in result) == [0, 0, 5]
    assert sum(each.untouched for each in result) == 10
    with scope(Scope.everything()):
        assert len({state for state, _source, _reason in states()}) == 1
        fold_tallies()
        assert_books_agree()
