"""Excuses: ops decide, once, and both rates show it."""

import threading

import pytest
from django.db import connection
from django.test import Client

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.identifiers import tracking_number
from alliance.models import AuditEntry, Event, Member, User
from alliance.tenancy import Actor, Scope, scope
from slas.models import Commitment, Excuse, Tally
from slas.services.commitments import void_commitments
from slas.services.excuses import MOST_AT_ONCE, excuse_breach, excuse_breaches
from slas.services.sweeping import sweep_overdue
from slas.services.tallies import fold_tallies
from tests.slas.judging import DAY, DELIVERY, HOUR, NOON, Lane, assert_books_agree, counts, reach

LIST = "/admin/slas/breachlisting/"


@pytest.fixture
def late(everything: None, lane: Lane) -> int:
    """A parcel delivered an hour late."""
    parcel_id = lane.promise()
    reach(parcel_id, NOON + HOUR)
    return parcel_id


def excuse(actor: Actor, parcel_id: int, **fields: str) -> Excuse:
    return excuse_breach(
        actor=actor, parcel_id=parcel_id, **{"kind": DELIVERY, "reason": "weather", **fields}
    )


@pytest.mark.django_db
class TestExcuse:
    def test_leaves_the_breach_and_counts_it_as_excused(self, lane: Lane, late: int, system: Actor) -> None:
        made = excuse(system, late, note=" Typhoon ")
        assert (made.reason, made.note, made.courier_id) == ("weather", "Typhoon", lane.courier.pk)
        fold_tallies()
        assert counts(lane.courier) == counts(lane.merchant) == {"late": 1, "excused": 1}
        assert_books_agree()

    def test_again_returns_the_first_decision(self, lane: Lane, late: int, system: Actor) -> None:
        first = excuse(system, late)
        tallies = Tally.objects.count()
        again = excuse(system, late, reason="disaster")
        assert (again.pk, again.reason) == (first.pk, "weather")
        assert Tally.objects.count() == tallies

    def test_is_told_and_written_down(self, late: int, system: Actor) -> None:
        excuse(system, late)
        event = Event.objects.get(topic="breach.excused")
        assert (event.parcel_id, event.payload) == (late, {"kind": "delivery", "reason": "weather"})
        entry = AuditEntry.objects.get()
        assert (entry.verb, entry.object_id) == ("breach.excused", f"{late}:delivery")

    def test_counts_only_while_a_breach_stands(self, lane: Lane, late: int, system: Actor) -> None:
        excuse(system, late)
        reach(late, NOON)
        fold_tallies()
        assert counts(lane.courier) == {"met": 1}
        reach(late, NOON + DAY, exact=True)
        fold_tallies()
        assert counts(lane.courier) == {"late": 1, "excused": 1}
        assert_books_agree()

    def test_leaves_with_the_cancelled(self, lane: Lane, system: Actor, everything: None) -> None:
        parcel_id = lane.promise()
        sweep_overdue(now=NOON + HOUR)
        excuse(system, parcel_id)
        void_commitments(parcel_ids=[parcel_id], at=NOON + DAY)
        fold_tallies()
        assert counts(lane.courier) == {"void": 1}
        assert_books_agree()

    @pytest.mark.parametrize("who", ["courier", "merchant"])
    def test_is_for_ops_only(self, late: int, who: str, request: pytest.FixtureRequest) -> None:
        with pytest.raises(NotPermitted):
            excuse(request.getfixturevalue(who), late)
        assert not Excuse.objects.exists()

    def test_nobody_judges_their_own_lateness(self, lane: Lane, late: int, ops_user: User) -> None:
        Member.objects.create(organisation=lane.courier, user=ops_user, role="viewer")
        with pytest.raises(NotPermitted) as raised:
            excuse(Actor(kind="user", user_id=ops_user.pk, is_ops=True), late)
        assert raised.value.reason == "own_courier"

    @pytest.mark.parametrize("at", [NOON, None])
    def test_needs_a_breach_that_stands(
        self, lane: Lane, system: Actor, everything: None, at: object
    ) -> None:
        parcel_id = lane.promise()
        reach(parcel_id, at)
        with pytest.raises(Conflict):
            excuse(system, parcel_id)

    def test_of_the_unknown_is_not_found(self, late: int, system: Actor) -> None:
        with pytest.raises(NotFound):
            excuse(system, late, kind="pickup")
        with pytest.raises(InvalidInput) as raised:
            excuse(system, late, reason="laziness")
        assert raised.value.errors[0].pointer == "/reason"

    def test_many_at_once_skips_what_stands_no_more(self, lane: Lane, late: int, system: Actor) -> None:
        met = lane.promise()
        reach(met, NOON)
        keys = [(late, "delivery"), (met, "delivery"), (late, "delivery")]
        assert excuse_breaches(actor=system, keys=keys, reason="weather") == (1, 1)
        assert_books_agree()

    def test_many_at_once_are_all_or_none(self, lane: Lane, late: int, system: Actor) -> None:
        with pytest.raises(NotFound):
            excuse_breaches(actor=system, keys=[(late, "delivery"), (late + 1, "delivery")], reason="weather")
        assert not Excuse.objects.exists()

    def test_too_many_at_once_are_refused(self, system: Actor) -> None:
        keys = [(number, "delivery") for number in range(MOST_AT_ONCE + 1)]
        with pytest.raises(InvalidInput):
            excuse_breaches(actor=system, keys=keys, reason="weather")


@pytest.mark.django_db(transaction=True)
def test_excuse_and_punctual_scan_at_once_agree(lane: Lane, system: Actor) -> None:
    """Whichever comes second must see the first: the excuse counts only if the breach stands."""
    for _ in range(5):
        with scope(Scope.everything()):
            parcel_id = lane.promise()
            reach(parcel_id, NOON + HOUR)

        def decide(parcel_id: int = parcel_id) -> None:
            try:
                with scope(Scope.everything()):
                    excuse(system, parcel_id)
            except Conflict:
                pass
            finally:
                connection.close()

        deciding = threading.Thread(target=decide)
        deciding.start()
        with scope(Scope.everything()):
            reach(parcel_id, NOON)
        deciding.join()
        with scope(Scope.everything()):
            fold_tallies()
            assert_books_agree()
            assert "excused" not in counts(lane.courier)


@pytest.mark.django_db
class TestAdmin:
    def test_lists_breaches_and_finds_one_by_number(self, lane: Lane, late: int, ops_client: Client) -> None:
        other = lane.promise()
        reach(other, NOON + HOUR)
        page = ops_client.get(LIST).content.decode()
        assert tracking_number(late) in page
        found = ops_client.get(LIST, {"q": tracking_number(late).lower()}).content.decode()
        assert tracking_number(late) in found
        assert tracking_number(other) not in found
        typo = ops_client.get(LIST, {"q": "CA123"})
        assert typo.status_code == 200
        assert tracking_number(late) not in typo.content.decode()

    @pytest.mark.parametrize("state", ["open", "excused", "withdrawn"])
    def test_filters_by_state(
        self, lane: Lane, late: int, system: Actor, ops_client: Client, state: str
    ) -> None:
        parcels = {"open": late}
        for name in ("excused", "withdrawn"):
            parcels[name] = lane.promise()
            reach(parcels[name], NOON + HOUR)
        excuse(system, parcels["excused"])
        reach(parcels["withdrawn"], NOON)
        page = ops_client.get(LIST, {"state": state}).content.decode()
        shown = {name for name, parcel_id in parcels.items() if tracking_number(parcel_id) in page}
        assert shown == {state}

    @pytest.mark.parametrize(
        "page", ["breachlisting", "commitmentlisting", "excuse", "ontimerate", "ontimerate/?cells=couriers"]
    )
    def test_pages_open_with_rows(self, late: int, system: Actor, ops_client: Client, page: str) -> None:
        excuse(system, late)
        fold_tallies()
        assert ops_client.get(f"/admin/slas/{page}", follow=True).status_code == 200

    @pytest.mark.parametrize("page", ["breachlisting", "commitmentlisting"])
    def test_shows_one_row_by_its_key(self, late: int, ops_client: Client, page: str) -> None:
        shown = ops_client.get(f"/admin/slas/{page}/{late}_3Adelivery/change/")
        assert shown.status_code == 200
        assert tracking_number(late) in shown.content.decode()
        assert ops_client.get(f"/admin/slas/{page}/nonsense/change/").status_code == 302

    def test_asks_for_a_reason_then_excuses_what_was_ticked(
        self, lane: Lane, late: int, ops_client: Client, ops_user: User
    ) -> None:
        other = lane.promise()
        reach(other, NOON + HOUR)
        ticked = {"action": "excuse", "_selected_action": [f"{late}:delivery"]}
        asked = ops_client.post(LIST, ticked)
        assert asked.status_code == 200
        assert "Excuse breaches" in asked.content.decode()
        assert not Excuse.objects.exists()
        unanswered = ops_client.post(LIST, {**ticked, "decide": "yes", "keys": f"{late}:delivery"})
        assert "This field is required" in unanswered.content.decode()
        done = ops_client.post(
            LIST,
            {**ticked, "decide": "yes", "keys": f"{late}:delivery", "reason": "weather", "note": "Typhoon"},
            follow=True,
        )
        assert "1 breach is excused." in done.content.decode()
        made = Excuse.objects.get()
        assert (made.parcel_id, made.reason, made.note, made.decided_by) == (
            late,
            "weather",
            "Typhoon",
            ops_user,
        )
        assert Commitment.objects.get(parcel_id=late).excused
        assert not Commitment.objects.get(parcel_id=other).excused

    def test_excuses_all_of_the_filtered_list(self, lane: Lane, late: int, ops_client: Client) -> None:
        reach(lane.promise(tier_id=lane.tier.pk), NOON + HOUR)
        all_of_them = {"action": "excuse", "_selected_action": [f"{late}:delivery"], "select_across": "1"}
        assert "2 breaches will be left out" in ops_client.post(LIST, all_of_them).content.decode()

    def test_is_closed_to_members(self, late: int, courier_client: Client) -> None:
        assert courier_client.get(LIST).status_code in (302, 403)
