"""Bookings and quotes under the merchant's own rules."""

from collections import Counter
from datetime import timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alliance.choices import Role
from alliance.errors import AllianceError, InvalidInput
from alliance.members.services.actors import actor_of_organisation
from alliance.models import AuditEntry, City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.rules import BookingRequest
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.writing import Booked
from slas.allocation.services import delete_rule, switch_rule
from slas.models import Offer
from slas.offers.quotes import Quote, QuoteRequest, quote
from slas.offers.ranking import Reason
from slas.offers.texts import quoted_reason
from tests.parcels.helpers.bookings import booked, request_for
from tests.slas.helpers.allocation import rule
from tests.slas.helpers.offers import fill, offer, record, today_at

NOON = today_at(12)
TODAY = NOON.date()


@pytest.fixture
def rival(rival_courier: Organisation, hangzhou: City, chengdu: City) -> Offer:
    """Ranked first: 200 of 200 on time, for 15 yuan; `sold` is 12 yuan and has no record."""
    made = offer(rival_courier, hangzhou, chengdu, price_fen=1500, daily_capacity=5)
    record(made, TODAY - timedelta(days=2), met=200)
    return made


@pytest.fixture
def lane(sold: Offer, rival: Offer, hangzhou: City, chengdu: City) -> tuple[City, City]:
    return hangzhou, chengdu


def asked(merchant: Actor, lane: tuple[City, City], **values: object) -> Quote:
    request = QuoteRequest(*lane, int(str(values.pop("weight_g", 800))), NOON, "next_day", **values)  # type: ignore[arg-type]
    with scope(Scope.of(merchant)):
        return quote(actor=merchant, request=request, at=NOON)


def book_all(merchant: Actor, requests: list[BookingRequest]) -> list[Booked | AllianceError]:
    with scope(Scope.of(merchant)):
        return book_parcels(actor=merchant, requests=requests, at=NOON)


def test_the_first_rule_that_holds_decides_at_booking_and_in_the_quote(
    merchant: Actor, lane: tuple[City, City], sold: Offer, rival: Offer, everything: None
) -> None:
    assert booked(merchant, *lane, at=NOON).offer.courier_id == rival.courier_id
    made = rule(merchant, "Light ones", "cheapest", most_g=1_000)
    light, heavy = booked(merchant, *lane, at=NOON), booked(merchant, *lane, at=NOON, weight_g=1_001)
    assert (light.offer.courier_id, heavy.offer.courier_id) == (sold.courier_id, rival.courier_id)
    best, _other = asked(merchant, lane).offers
    assert (best.offer.courier_id, best.reason, best.rule and best.rule.id) == (
        sold.courier_id, Reason.RULE, made.pk,
    )  # fmt: skip
    assert quoted_reason(best).startswith("Your rule “Light ones”: the cheapest courier.")
    assert asked(merchant, lane, weight_g=1_001).offers[0].rule is None
    entry = AuditEntry.objects.filter(verb="parcels.booked").order_by("pk")[1]
    assert entry.detail["rules"] == [{"id": made.pk, "name": "Light ones", "parcels": [light.number]}]


def test_a_change_counts_from_the_next_booking_on(
    merchant: Actor, lane: tuple[City, City], sold: Offer, rival: Offer
) -> None:
    made = rule(merchant, "Cheap", "cheapest")
    for is_active, expected in ((False, rival), (True, sold), (False, rival)):
        with scope(Scope.of(merchant)):
            switch_rule(actor=merchant, rule_id=made.pk, is_active=is_active)
        assert booked(merchant, *lane, at=NOON).offer.courier_id == expected.courier_id
    with scope(Scope.of(merchant)):
        delete_rule(actor=merchant, rule_id=made.pk)
    assert booked(merchant, *lane, at=NOON).offer.courier_id == rival.courier_id


def test_the_rules_of_another_merchant_do_nothing(
    merchant: Actor, lane: tuple[City, City], rival: Offer, rival_merchant: Organisation
) -> None:
    other = actor_of_organisation(rival_merchant, kind="user", role=Role.OWNER, label="other")
    rule(other, "Cheap", "cheapest")
    assert booked(merchant, *lane, at=NOON).offer.courier_id == rival.courier_id


def test_the_next_courier_is_taken_when_the_preferred_one_is_full(
    merchant: Actor, lane: tuple[City, City], sold: Offer, rival: Offer
) -> None:
    rule(merchant, "Cheap", "cheapest")
    fill(sold, TODAY)
    booking = booked(merchant, *lane, at=NOON)
    assert (booking.offer.courier_id, booking.rule) == (rival.courier_id, booking.rule)
    best, _other = asked(merchant, lane).offers
    assert best.offer.courier_id == rival.courier_id


def test_a_limit_binds_a_booking_that_names_its_courier_and_a_preference_does_not(
    merchant: Actor, lane: tuple[City, City], sold: Offer, rival: Offer, rival_courier: Organisation
) -> None:
    rule(merchant, "Cheap", "cheapest")
    named = booked(merchant, *lane, at=NOON, courier=rival_courier.public_id)
    assert (named.offer.courier_id, named.rule) == (rival.courier_id, None)
    rule(merchant, "Not them", "never", couriers=[rival_courier])
    with pytest.raises(InvalidInput) as refusal:
        booked(merchant, *lane, at=NOON, courier=rival_courier.public_id)
    [error] = refusal.value.errors
    assert (error.pointer, error.code) == ("/courier", "ruled_out")
    assert "“Not them”" in error.message
    # What a quote shows can be booked.
    assert [each.offer.courier_id for each in asked(merchant, lane).offers] == [sold.courier_id]


def test_rules_that_leave_nobody_refuse_the_booking_and_name_the_rule(
    merchant: Actor, lane: tuple[City, City], rival_courier: Organisation, courier_organisation: Organisation
) -> None:
    rule(merchant, "Neither", "never", couriers=[rival_courier, courier_organisation], reference_prefix="X")
    fine, refused = book_all(
        merchant, [request_for(*lane, NOON, reference=reference) for reference in ("S-1", "X-1")]
    )
    assert isinstance(fine, Booked)
    assert isinstance(refused, InvalidInput)
    assert refused.errors[0].message == (
        "Your rule “Neither” leaves no courier for Next day here. Change the rule, or switch it off."
    )
    result = asked(merchant, lane, reference="X-2")
    assert [(each.tier, each.code) for each in result.unavailable] == [("next_day", "ruled_out")]


def test_a_limit_is_named_beside_the_reason_of_those_it_leaves(
    merchant: Actor, lane: tuple[City, City], rival: Offer, rival_courier: Organisation
) -> None:
    rule(merchant, "Friends", "only", couriers=[rival_courier])
    [best] = asked(merchant, lane).offers
    assert best.reason is Reason.RULE
    assert quoted_reason(best).startswith("Your rule “Friends” allows only certain couriers. The courier's")


def test_a_batch_is_split_and_quotes_with_a_reference_say_what_a_booking_gets(
    merchant: Actor, lane: tuple[City, City], sold: Offer, rival: Offer, rival_courier: Organisation,
    courier_organisation: Organisation,
) -> None:  # fmt: skip
    for each in (sold, rival):
        each.daily_capacity = 500
        with scope(Scope.everything()):
            each.save()
    rule(merchant, "Halves", "split", couriers={rival_courier: 30, courier_organisation: 70})
    requests = [request_for(*lane, NOON, reference=f"SO-{number}") for number in range(200)]
    first = [item.offer.courier_id for item in book_all(merchant, requests) if isinstance(item, Booked)]
    counts = Counter(first)
    assert counts[sold.courier_id] == pytest.approx(140, abs=20)
    for number in range(5):
        best, _other = asked(merchant, lane, reference=f"SO-{number}").offers
        assert best.offer.courier_id == first[number]
        assert best.shares == (("Swift Express", 70), ("Rival Logistics", 30))
    assert quoted_reason(best).startswith(
        "Your rule “Halves” splits these parcels: Swift Express 70 %, Rival Logistics 30 %."
    )
    # Without a reference the largest share is recommended; the recipient draws a booking's.
    assert asked(merchant, lane).offers[0].offer.courier_id == sold.courier_id
    again = {booked(merchant, *lane, at=NOON).offer.courier_id for _time in range(3)}
    assert len(again) == 1


def test_a_full_courier_of_a_split_leaves_its_parcels_to_the_others(
    merchant: Actor, lane: tuple[City, City], sold: Offer, rival: Offer, rival_courier: Organisation,
    courier_organisation: Organisation,
) -> None:  # fmt: skip
    rule(merchant, "Halves", "split", couriers={rival_courier: 50, courier_organisation: 50})
    fill(rival, TODAY)
    requests = [request_for(*lane, NOON, reference=f"SO-{number}") for number in range(10)]
    results = book_all(merchant, requests)
    assert {item.offer.courier_id for item in results if isinstance(item, Booked)} == {sold.courier_id}


@pytest.mark.parametrize("count", [1, 2])
def test_a_parcel_says_to_its_merchant_alone_which_rule_chose_its_courier_as_it_was_then(
    merchant: Actor, lane: tuple[City, City], sold: Offer, rival: Offer, merchant_client: Client,
    merchant_api: APIClient, courier_client: Client, courier_api: APIClient, ops_client: Client, count: int,
) -> None:  # fmt: skip
    rule(merchant, "Of others", "cheapest", least_g=5_000)
    made = rule(merchant, 'Light <b> "ones" 轻件', "cheapest", most_g=1_000)
    # One, and many, are written by statements of their own.
    requests = [request_for(*lane, NOON), *[request_for(*lane, NOON, weight_g=1_001)] * (count - 1)]
    first, *others = book_all(merchant, requests)
    assert isinstance(first, Booked)
    with scope(Scope.of(merchant)):
        delete_rule(actor=merchant, rule_id=made.pk)
    page = merchant_client.get(f"/parcels/{first.number}/").content.decode()
    assert "Chosen by your rule 2: Light &lt;b&gt; &quot;ones&quot; 轻件" in page
    told = merchant_api.get(f"/api/v1/parcels/{first.number}").json()
    assert told["rule"] == {"position": 2, "name": 'Light <b> "ones" 轻件'}
    for client in (courier_client, ops_client):
        assert "轻件" not in client.get(f"/parcels/{first.number}/").content.decode()
    assert "rule" not in courier_api.get(f"/api/v1/parcels/{first.number}").json()
    for other in others:
        assert isinstance(other, Booked)
        assert merchant_api.get(f"/api/v1/parcels/{other.number}").json()["rule"] is None
