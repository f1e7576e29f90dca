"""Pickup requests: which parcels are in one, who answers what, and by what hour the pickup is then due."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from alliance.errors import AllianceError, Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import City, Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcels
from parcels.choices import PickupStage, PickupState
from parcels.models import Parcel, Pickup, PickupAddress
from parcels.pickups.queries import pickup_of, pickup_of_parcel, round_of, waiting_parcels
from parcels.pickups.services.answering import cancel_pickup, decline_pickup
from parcels.pickups.services.proposing import agree_to_window, propose_window
from parcels.pickups.services.retention import forget_old_pickups
from parcels.waiting.rules import HeldParcel
from slas.choices import CommitmentKind, Outcome
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Breach, Commitment, OnTimeRate
from slas.rates.services.folding import fold_tallies
from tests.access.trade import owner
from tests.parcels.helpers.parcel_views import scan
from tests.parcels.helpers.parcels import booked_parcels
from tests.parcels.pickups.conftest import accept, address_of, request, seen

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def by(actor: Actor, verb: Callable[..., Pickup], pickup: Pickup, **more: Any) -> Pickup:
    with scope(Scope.of(actor)):
        return verb(actor=actor, pickup_id=pickup.pk, **more)


def due(parcel: Parcel) -> datetime:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel.pk, kind=CommitmentKind.PICKUP).due_at


def outcome(parcel: Parcel) -> str:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel.pk, kind=CommitmentKind.PICKUP).outcome


def reasons(results: list[HeldParcel | AllianceError]) -> list[str]:
    return [each.reason if isinstance(each, AllianceError) else "" for each in results]


def test_a_request_has_the_parcels_that_fit_and_says_why_others_do_not(
    merchant: Actor,
    courier_organisation: Organisation,
    merchant_organisation: Organisation,
    rival_courier: Organisation,
    rival_merchant: Organisation,
    hangzhou: City,
    booked: list[Parcel],
    nine: datetime,
) -> None:
    first, second, gone = booked
    scan(gone, "picked_up", 0.5)
    there = {"booked_at": nine, "pickup_address_id": first.pickup_address_id}
    [other] = booked_parcels(merchant_organisation, rival_courier, **there)
    [foreign] = booked_parcels(rival_merchant, courier_organisation, booked_at=nine)
    elsewhere = address_of(merchant_organisation, hangzhou, name="Shop")
    [apart] = booked_parcels(
        merchant_organisation, courier_organisation, booked_at=nine, pickup_address_id=elsewhere.pk
    )
    later = {**there, "booked_at": nine + 2 * HOUR}
    [unready] = booked_parcels(merchant_organisation, courier_organisation, **later)
    asked = request(merchant, [first, gone, other, foreign, apart, unready, second, first], nine)
    assert reasons(asked.results) == [
        "",
        "already_moving",
        "other_courier",
        "unknown_tracking_number",
        "other_address",
        "not_ready",
        "",
        "duplicate",
    ]
    assert asked.pickup.parcel_ids == [first.pk, second.pk]
    assert seen(merchant, first).pickup_id == asked.pickup.pk
    assert seen(merchant, gone).pickup_id is None


def test_a_window_after_the_promise_is_refused_with_the_hour(
    merchant: Actor, booked: list[Parcel], nine: datetime
) -> None:
    with pytest.raises(Conflict) as refused:
        request(merchant, booked, nine, hours=(4, 6.5))
    assert [error.code for error in refused.value.errors] == ["after_promise"] * 3
    assert booked[0].number in refused.value.errors[0].message
    assert "15:00" in refused.value.errors[0].message
    assert request(merchant, booked, nine, hours=(4, 6)).pickup.parcel_ids


@pytest.mark.parametrize(
    ("hours", "code"),
    [
        ((3, 1), "order"),
        ((1, 1.2), "length"),
        ((1, 14), "length"),
        ((-3, -1), "past"),
        ((12, 16), "two_days"),
    ],
)
def test_windows_that_make_no_sense_are_refused(
    merchant: Actor, booked: list[Parcel], nine: datetime, hours: tuple[float, float], code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        request(merchant, booked, nine, hours=hours)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/ends_at", code)]


def test_a_parcel_is_in_one_open_request_and_free_once_that_is_closed(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    first = request(merchant, booked[:2], nine).pickup
    again = request(merchant, booked, nine)
    assert reasons(again.results) == ["in_pickup", "in_pickup", ""]
    by(courier, decline_pickup, first, answer="No van today", now=nine)
    assert reasons(request(merchant, booked[:2], nine).results) == ["", ""]


def test_accepting_makes_the_end_of_the_window_the_due_time_and_keeps_the_promise(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = request(merchant, booked, nine).pickup
    assert due(booked[0]) == nine + 6 * HOUR
    accept(courier, pickup, nine)
    assert {due(parcel) for parcel in booked} == {nine + 3 * HOUR}
    assert seen(merchant, booked[0]).pickup_by == nine + 6 * HOUR
    with scope(Scope.everything()):
        assert Event.objects.filter(topic="pickup.accepted", courier_id=pickup.courier_id).count() == 1
    # Twice is once.
    assert accept(courier, pickup, nine).state == PickupState.ACCEPTED


def test_a_missed_window_is_a_breach_of_its_parcels_counted_on_the_promised_day(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = accept(courier, request(merchant, booked, nine).pickup, nine)
    scan(booked[0], "picked_up", 2)
    scan(booked[1], "picked_up", 4)
    sweep_overdue(now=nine + 3 * HOUR + timedelta(minutes=1))
    assert [outcome(parcel) for parcel in booked] == [Outcome.MET, Outcome.LATE, Outcome.OVERDUE]
    with scope(Scope.everything()):
        breach = Breach.objects.get(parcel_id=booked[2].pk)
        fold_tallies()
        [cell] = OnTimeRate.objects.filter(kind=CommitmentKind.PICKUP, organisation_id=pickup.courier_id)
    assert (breach.kind, breach.due_at) == (CommitmentKind.PICKUP, nine + 3 * HOUR)
    assert (cell.met, cell.late, cell.overdue, cell.pending) == (1, 1, 1, 0)
    with scope(Scope.of(merchant)):
        view = pickup_of(merchant, pickup.pk, nine + 5 * HOUR)
    assert view.stage == PickupStage.MISSED
    assert (view.progress.parcels, view.progress.picked_up, view.progress.missed) == (3, 2, 2)


def test_what_was_missed_can_be_requested_again_and_stays_late(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    accept(courier, request(merchant, booked, nine).pickup, nine)
    now = nine + 7 * HOUR
    sweep_overdue(now=now)
    again = request(merchant, booked, now, hours=(1, 3)).pickup
    accept(courier, again, now)
    assert {outcome(parcel) for parcel in booked} == {Outcome.OVERDUE}
    assert {due(parcel) for parcel in booked} == {nine + 3 * HOUR}


def test_another_window_is_proposed_and_agreed_to_and_never_moves_the_promise_later(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = request(merchant, booked, nine).pickup
    early = {"starts_at": nine + 2 * HOUR, "ends_at": nine + 4 * HOUR}
    late = {"starts_at": nine + 5 * HOUR, "ends_at": nine + 8 * HOUR}
    by(courier, propose_window, pickup, **early, answer="", now=nine)
    by(courier, propose_window, pickup, **late, answer="Van in repair", now=nine)
    with pytest.raises(Conflict) as refused:
        by(merchant, agree_to_window, pickup, **early, now=nine)
    assert refused.value.reason == "window_over"
    agreed = by(merchant, agree_to_window, pickup, **late, now=nine)
    assert (agreed.state, agreed.ends_at) == (PickupState.ACCEPTED, nine + 8 * HOUR)
    assert {due(parcel) for parcel in booked} == {nine + 6 * HOUR}
    assert by(merchant, agree_to_window, pickup, **late, now=nine).state == PickupState.ACCEPTED


def test_cancelling_an_agreed_pickup_gives_the_promise_back(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = accept(courier, request(merchant, booked, nine).pickup, nine)
    scan(booked[0], "picked_up", 1.5)
    by(merchant, cancel_pickup, pickup, now=nine + 2 * HOUR)
    assert [due(parcel) for parcel in booked] == [nine + 3 * HOUR, nine + 6 * HOUR, nine + 6 * HOUR]
    with pytest.raises(Conflict):
        accept(courier, pickup, nine + 2 * HOUR)


def test_a_window_that_is_over_can_no_longer_be_cancelled(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = accept(courier, request(merchant, booked, nine).pickup, nine)
    with pytest.raises(Conflict) as refused:
        by(merchant, cancel_pickup, pickup, now=nine + 4 * HOUR)
    assert refused.value.reason == "window_over"
    assert due(booked[0]) == nine + 3 * HOUR


def test_a_cancelled_parcel_is_no_longer_expected(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = accept(courier, request(merchant, booked, nine).pickup, nine)
    with scope(Scope.of(merchant)):
        cancel_parcels(actor=merchant, parcel_ids=[booked[0].pk], at=nine + HOUR)
    for parcel in booked[1:]:
        scan(parcel, "picked_up", 2)
    with scope(Scope.of(courier)):
        view = pickup_of(courier, pickup.pk, nine + 4 * HOUR)
    assert (view.stage, view.progress.parcels, view.progress.missed) == (PickupStage.DONE, 2, 0)


def test_without_its_parcels_there_is_nothing_to_come_for(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = accept(courier, request(merchant, booked, nine).pickup, nine)
    with scope(Scope.of(merchant)):
        cancel_parcels(actor=merchant, parcel_ids=[parcel.pk for parcel in booked], at=nine)
    with scope(Scope.of(courier)):
        assert pickup_of(courier, pickup.pk, nine).stage == PickupStage.CANCELLED
        assert round_of(courier, pickup.day, nine) == []


def test_what_nobody_answered_lapses(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = request(merchant, booked, nine).pickup
    with scope(Scope.of(courier)):
        assert pickup_of(courier, pickup.pk, nine + 4 * HOUR).stage == PickupStage.LAPSED
    with pytest.raises(Conflict):
        accept(courier, pickup, nine + 4 * HOUR)
    assert reasons(request(merchant, booked, nine + 4 * HOUR, hours=(1, 2)).results) == [""] * 3


def test_only_its_two_sides_know_a_request_and_each_has_its_own_verbs(
    merchant: Actor,
    courier: Actor,
    rival_courier: Organisation,
    rival_merchant: Organisation,
    booked: list[Parcel],
    nine: datetime,
) -> None:
    pickup = request(merchant, booked, nine).pickup
    for rival, verb in ((owner(rival_courier), decline_pickup), (owner(rival_merchant), cancel_pickup)):
        more = {"answer": "x"} if verb is decline_pickup else {}
        with pytest.raises(NotFound):
            by(rival, verb, pickup, now=nine, **more)
    with pytest.raises(NotPermitted):
        by(merchant, decline_pickup, pickup, answer="x", now=nine)
    with pytest.raises(NotPermitted):
        by(courier, cancel_pickup, pickup, now=nine)
    with pytest.raises(InvalidInput) as refused:
        by(courier, decline_pickup, pickup, answer=" ", now=nine)
    assert refused.value.errors[0].pointer == "/note"


def test_waiting_parcels_are_those_in_no_open_request_by_stop(
    merchant: Actor, booked: list[Parcel], address: PickupAddress, nine: datetime
) -> None:
    request(merchant, booked[:1], nine)
    with scope(Scope.of(merchant)):
        [waiting] = waiting_parcels(merchant, nine)
    assert [parcel.pk for parcel in waiting.parcels] == [parcel.pk for parcel in booked[1:]]
    assert (waiting.courier, waiting.stop.address_id) == ("Swift Express", address.pk)


def test_requests_of_long_ago_are_deleted_and_their_parcels_stay(
    merchant: Actor, booked: list[Parcel], nine: datetime
) -> None:
    request(merchant, booked, nine)
    assert forget_old_pickups(now=nine + timedelta(days=90)) == 0
    assert forget_old_pickups(now=nine + timedelta(days=91)) == 1
    parcel = seen(merchant, booked[0])
    with scope(Scope.of(merchant)):
        assert pickup_of_parcel(merchant, parcel, nine) is None
    assert reasons(request(merchant, booked, nine).results) == [""] * 3


def test_a_parcel_booked_from_no_address_is_picked_up_at_the_merchants_in_its_city(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    chengdu: City,
    address: PickupAddress,
    nine: datetime,
) -> None:
    parcels = booked_parcels(merchant_organisation, courier_organisation, booked_at=nine, count=2)
    elsewhere = address_of(merchant_organisation, chengdu)
    assert request(merchant, parcels[:1], nine).pickup.address_id == address.pk
    with pytest.raises(Conflict) as refused:
        request(merchant, parcels[1:], nine, address_id=elsewhere.pk)
    assert refused.value.errors[0].code == "other_address"
    with scope(Scope.of(merchant)):
        [waiting] = waiting_parcels(merchant, nine)
    assert (waiting.stop.address_id, len(waiting.parcels)) == (address.pk, 1)


def test_all_or_none_are_requested_if_that_is_asked(
    merchant: Actor, booked: list[Parcel], nine: datetime
) -> None:
    scan(booked[0], "picked_up", 0.5)
    with pytest.raises(Conflict) as refused:
        request(merchant, booked, nine, is_whole=True)
    assert [error.pointer for error in refused.value.errors] == ["/tracking_numbers/0"]
    assert seen(merchant, booked[1]).pickup_id is None
