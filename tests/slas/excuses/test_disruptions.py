"""Declared events and the breaches they affect. Times are hours from NOON, when the event begins."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.identifiers import EPOCH, new_parcel_id
from alliance.members.services.actors import actor_of_user
from alliance.models import AuditEntry, City, Event, Member, User
from alliance.tenancy import Actor
from slas.commitments.services.settling import Milestone, settle
from slas.commitments.services.sweeping import sweep_overdue
from slas.excuses.services.disruptions import (
    Area,
    Cause,
    Period,
    ProposalResult,
    breaches_affected_by,
    counts_by,
    declare_disruption,
    propose_excuses,
    withdraw_disruption,
)
from slas.models import Closure, Commitment, Disruption, Excuse
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
from tests.slas.helpers.excuses import agent_of, claimed, decided, service, states

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]
LENGTH, RECOVERY = 24, 12
Break = Callable[..., int]


@pytest.fixture
def broken(lane: Lane) -> Break:
    """A promise of an hour, booked at another, that was kept an hour late."""

    def broken(due: float, kind: str = DELIVERY, booked: float = -30, **given: Any) -> int:
        due_at = NOON + due * HOUR
        picked_up = given.pop("picked_up", None)
        # Booked days ahead: the last month has partitions, too.
        parcel_id = given.pop("parcel_id", None) or new_parcel_id(NOON + booked * HOUR)
        lane.promise(due_at, kind, parcel_id=parcel_id, **given)
        reached = [Milestone(parcel_id, kind, due_at + HOUR)]
        if picked_up is not None:
            lane.promise(NOON + DAY, PICKUP, parcel_id=parcel_id)
            reached.append(Milestone(parcel_id, PICKUP, NOON + picked_up * HOUR))
        settle(reached, now=due_at + HOUR)
        return parcel_id

    return broken


@pytest.fixture
def decider() -> Actor:
    return service()


def storm(area: Area, *, declared: float = 0, **given: Any) -> Disruption:
    period = Period(NOON, NOON + LENGTH * HOUR, recovery_hours=RECOVERY)
    return declare_disruption(
        **{
            "actor": Actor.system("test"),
            "name": "Typhoon",
            "reason": "weather",
            "area": area,
            "period": period,
            "declared_at": NOON + declared * HOUR,
            **given,
        },
    )


def keys(cause: Cause) -> set[tuple[int, str]]:
    return {(row.parcel_id, row.kind) for row in breaches_affected_by(cause)}


CHENGDU, HANGZHOU = "CN-CTU", "CN-HGH"
# Parcels go from Hangzhou to Chengdu. What happened; where the event was; the breach; touched or not.
CASES = [
    ("due while it blew", CHENGDU, {"due": 5}, True),
    ("due as it began", CHENGDU, {"due": 0}, True),
    ("due before it began", CHENGDU, {"due": -0.01}, False),
    ("due while it recovered", CHENGDU, {"due": 36}, True),
    ("due after it recovered", CHENGDU, {"due": 36.01}, False),
    ("promised when it was declared already", CHENGDU, {"due": 20, "booked": 0.01}, False),
    ("promised just before", CHENGDU, {"due": 20, "booked": -0.01}, True),
    ("pickup due at the other end", CHENGDU, {"due": 5, "kind": PICKUP}, False),
    ("pickup due there", HANGZHOU, {"due": 5, "kind": PICKUP}, True),
    ("delivery, never picked up there", HANGZHOU, {"due": 5}, True),
    ("delivery, picked up there since", HANGZHOU, {"due": 20, "picked_up": 2}, True),
    ("delivery, picked up there before", HANGZHOU, {"due": 20, "picked_up": -2}, False),
    ("neither end", "CN-BJS", {"due": 5}, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "breach", "touched"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_event_affects_breaches_in_place_and_time(
    broken: Break, where: str, breach: dict[str, Any], touched: bool
) -> None:
    parcel_id = broken(**breach)
    result = keys(Cause.of_disruption(storm(Area(city=City.objects.get(code=where)))))
    assert result == ({(parcel_id, breach.get("kind", DELIVERY))} if touched else set())


@pytest.mark.parametrize(
    ("area", "touched"),
    [
        (Area(country="CN"), True),
        (Area(country="CN", province="Sichuan"), True),
        (Area(country="CN", province="Yunnan"), False),
        (Area(country="BR"), False),
    ],
    ids=str,
)
def test_an_area_is_a_country_a_province_or_a_city(broken: Break, area: Area, touched: bool) -> None:
    broken(5)
    assert bool(breaches_affected_by(Cause.of_disruption(storm(area)))) == touched


def test_event_affects_only_open_breaches_without_excuse(
    broken: Break, lane: Lane, decider: Actor, chengdu: City
) -> None:
    cause = Cause.of_disruption(storm(Area(city=chengdu)))
    standing, withdrawn, waiting, granted, declined = (broken(5) for _number in range(5))
    reach(withdrawn, NOON)
    agent = agent_of(lane.courier)
    now = NOON + 7 * HOUR
    claimed(agent, waiting, now=now)
    decided(decider, [claimed(agent, granted, now=now)], "grant")
    decided(decider, [claimed(agent, declined, now=now)], "decline")
    overdue = lane.promise(NOON + 6 * HOUR, parcel_id=new_parcel_id(NOON - DAY))
    sweep_overdue(now=NOON + 7 * HOUR)
    assert keys(cause) == {(parcel_id, DELIVERY) for parcel_id in (standing, declined, overdue)}


def test_rows_have_parties_and_times(broken: Break, lane: Lane, chengdu: City) -> None:
    parcel_id = broken(5)
    broken(6)
    touched = breaches_affected_by(Cause.of_disruption(storm(Area(city=chengdu))))
    assert [row.parcel_id for row in touched] == sorted(row.parcel_id for row in touched)
    [line] = [row for row in touched if row.parcel_id == parcel_id]
    assert (line.due_at, line.reached_at) == (NOON + 5 * HOUR, NOON + 6 * HOUR)
    assert counts_by(touched, "courier_id") == [(lane.courier.pk, 2)]
    assert counts_by(touched, "merchant_id") == [(lane.merchant.pk, 2)]
    assert counts_by([], "courier_id") == []


class TestClosures:
    """A closure affects breaches in the city's local time, at its side, promised before it was announced."""

    def close(self, city: City, **given: Any) -> Closure:
        local = NOON.astimezone(ZoneInfo(city.time_zone))
        values = {
            "date": local.date(), "announced_at": NOON, "name": "Power cut", "country": "CN", **given
        }  # fmt: skip
        closure = Closure.objects.create(city=city, **values)
        # As it is read: times instead of texts.
        closure.refresh_from_db()
        return closure

    def found(self, closure: Closure, hours: int = 0) -> bool:
        return bool(
            breaches_affected_by(Cause.of_closure(closure, reason="force_majeure", recovery_hours=hours))
        )

    # NOON is 12:00 in China: the day is from 12 hours before to 12 hours after it.
    @pytest.mark.parametrize(
        ("due", "hours", "touched"),
        [(-12, 0, True), (-12.01, 0, False), (12, 0, True), (12.01, 0, False), (12.01, 1, True)],
    )
    def test_whole_day(self, broken: Break, chengdu: City, due: float, hours: int, touched: bool) -> None:
        broken(due)
        assert self.found(self.close(chengdu), hours) == touched

    @pytest.mark.parametrize(("due", "touched"), [(1.99, False), (2, True), (6, True), (6.01, False)])
    def test_part_of_a_day(self, broken: Break, chengdu: City, due: float, touched: bool) -> None:
        broken(due)
        assert self.found(self.close(chengdu, starts="14:00", ends="18:00")) == touched

    @pytest.mark.parametrize(("side", "touched"), [("origin", False), ("destination", True), ("both", True)])
    def test_side(self, broken: Break, chengdu: City, side: str, touched: bool) -> None:
        broken(5)
        assert self.found(self.close(chengdu, side=side)) == touched

    def test_closure_announced_in_time_affects_no_breach(self, broken: Break, chengdu: City) -> None:
        broken(5)
        assert not self.found(self.close(chengdu, announced_at=NOON - 2 * DAY))

    def test_closure_from_before_all_parcels_affects_no_breach(self, broken: Break, chengdu: City) -> None:
        broken(5)
        assert not self.found(self.close(chengdu, date=EPOCH.date(), announced_at=EPOCH - 60 * DAY))

    def test_withdrawn_closure_affects_no_breach(self, broken: Break, chengdu: City) -> None:
        broken(5)
        assert not self.found(self.close(chengdu, withdrawn_at=NOON + HOUR))

    def test_its_excuses_name_it(self, broken: Break, chengdu: City, system: Actor) -> None:
        parcel_id = broken(5)
        closure = self.close(chengdu)
        cause = Cause.of_closure(closure, reason="disaster")
        assert propose_excuses(actor=system, cause=cause) == ProposalResult(1)
        excuse = Excuse.objects.get(parcel_id=parcel_id)
        assert (excuse.closure_id, excuse.disruption_id, excuse.reason) == (closure.pk, None, "disaster")
        assert AuditEntry.objects.get(verb="closure.proposed").detail["excuses"] == 1
        assert propose_excuses(actor=system, cause=cause) == ProposalResult()


class TestProposing:
    @pytest.fixture
    def cause(self, broken: Break, chengdu: City) -> Cause:
        for due in (3, 4, 5):
            broken(due)
        return Cause.of_disruption(storm(Area(city=chengdu)))

    def test_claims_for_all_of_them_and_excuses_none(self, cause: Cause, lane: Lane, system: Actor) -> None:
        assert propose_excuses(actor=system, cause=cause) == ProposalResult(3)
        assert states() == [("claimed", "event", "weather")] * 3
        assert {excuse.note for excuse in Excuse.objects.all()} == {"Typhoon"}
        assert Event.objects.filter(topic="excuse.claimed").count() == 3
        fold_tallies()
        assert counts(lane.courier) == {"late": 3}

    def test_second_proposal_adds_no_excuse_after_any_decision(
        self, cause: Cause, system: Actor, decider: Actor
    ) -> None:
        propose_excuses(actor=system, cause=cause)
        first, second, _third = Excuse.objects.order_by("pk")
        decided(decider, [first], "grant")
        decided(decider, [second], "decline")
        assert propose_excuses(actor=system, cause=cause) == ProposalResult()
        assert Excuse.objects.count() == 3

    def test_second_proposal_adds_new_breaches(self, cause: Cause, broken: Break, system: Actor) -> None:
        propose_excuses(actor=system, cause=cause)
        broken(6)
        assert propose_excuses(actor=system, cause=cause) == ProposalResult(1)

    def test_proposal_can_grant_at_once(self, cause: Cause, lane: Lane, ops_user: User) -> None:
        ops = actor_of_user(ops_user)
        assert propose_excuses(
            actor=ops, cause=cause, note="State of emergency", grant=True
        ) == ProposalResult(3, 3)
        assert states() == [("granted", "event", "weather")] * 3
        assert set(Commitment.objects.values_list("excused", "excuse_reason")) == {(True, "weather")}
        fold_tallies()
        assert counts(lane.courier) == {"late": 3, "excused": 3}
        assert_books_agree()

    def test_proposal_is_for_ops_and_granting_for_deciders(
        self, cause: Cause, lane: Lane, courier: Actor, merchant: Actor, decider: Actor, ops_user: User
    ) -> None:
        staff = actor_of_user(factories.staff_user("staff@alliance.example"))
        for actor in (courier, merchant, decider):
            with pytest.raises(NotPermitted):
                propose_excuses(actor=actor, cause=cause)
        with pytest.raises(NotPermitted):
            propose_excuses(actor=staff, cause=cause, grant=True)
        Member.objects.create(organisation=lane.courier, user=ops_user, role="viewer")
        with pytest.raises(NotPermitted, match="another person"):
            propose_excuses(actor=actor_of_user(ops_user), cause=cause, grant=True)
        assert propose_excuses(actor=staff, cause=cause) == ProposalResult(3)


class TestDeclaring:
    def test_takes_the_place_from_the_city(self, chengdu: City) -> None:
        made = storm(Area(city=chengdu), name=" Flood ", reason="disaster")
        assert (made.name, made.country, made.province, made.reason) == ("Flood", "CN", "Sichuan", "disaster")
        assert AuditEntry.objects.get(verb="disruption.declared").object_id == str(made.pk)
        assert not Excuse.objects.exists()

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"name": " "}, "/name"),
            ({"name": "x" * 121}, "/name"),
            ({"reason": "consignee_absent"}, "/reason"),
            ({"area": Area(country="XX")}, "/country"),
            ({"area": Area()}, "/country"),
            ({"area": Area(country="CN", province="Atlantis")}, "/province"),
            ({"period": Period(NOON, NOON)}, "/ends_at"),
            ({"period": Period(NOON, NOON + 63 * DAY)}, "/ends_at"),
            ({"period": Period(NOON, NOON + DAY, recovery_hours=337)}, "/recovery_hours"),
            ({"period": Period(NOON, NOON + DAY, recovery_hours=-1)}, "/recovery_hours"),
        ],
    )
    def test_inconsistent_input_is_refused(self, changes: dict[str, Any], pointer: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            storm(changes.pop("area", Area(country="CN")), **changes)
        assert [error.pointer for error in caught.value.errors] == [pointer]

    def test_is_for_ops(self, courier: Actor, chengdu: City) -> None:
        with pytest.raises(NotPermitted):
            storm(Area(city=chengdu), actor=courier)
        with pytest.raises(NotPermitted):
            withdraw_disruption(actor=courier, disruption_id=storm(Area(city=chengdu)).pk)

    def test_event_without_proposals_can_be_withdrawn(
        self, broken: Break, chengdu: City, system: Actor
    ) -> None:
        used, unused = storm(Area(city=chengdu)), storm(Area(city=chengdu))
        broken(5)
        propose_excuses(actor=system, cause=Cause.of_disruption(used))
        withdraw_disruption(actor=system, disruption_id=unused.pk)
        with pytest.raises(NotFound):
            withdraw_disruption(actor=system, disruption_id=unused.pk)
        with pytest.raises(Conflict):
            withdraw_disruption(actor=system, disruption_id=used.pk)
        assert list(Disruption.objects.all()) == [used]
        assert timedelta(hours=used.recovery_hours) == RECOVERY * HOUR
