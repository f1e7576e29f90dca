"""Cancelling the parcels that were ticked in the list: shown, confirmed, and what was not cancelled."""

import pytest
from django.test import Client

from alliance.identifiers import new_parcel_id, tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.writing import Booked
from parcels.models import Parcel
from tests.parcels.helpers.bookings import booked
from tests.slas.helpers.offers import offer, today_at

URL = "/parcels/cancel/"
NOON = today_at(12)


@pytest.fixture
def two(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> tuple[Booked, Booked]:
    offer(courier_organisation, hangzhou, chengdu)
    first, second = (booked(merchant, hangzhou, chengdu, at=NOON, reference=f"SO-{n}") for n in "12")
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=second.parcel_id).update(status="picked_up")
    return first, second


def status_of(parcel: Booked) -> str:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=parcel.parcel_id).status


def test_list_offers_it_to_those_who_book(
    two: tuple[Booked, Booked], merchant_client: Client, courier_client: Client
) -> None:
    assert URL in merchant_client.get("/parcels/").content.decode()
    assert URL not in courier_client.get("/parcels/").content.decode()


def test_nothing_is_cancelled_before_it_is_confirmed(
    two: tuple[Booked, Booked], merchant_client: Client
) -> None:
    response = merchant_client.post(URL, {"numbers": [parcel.number for parcel in two]})
    text = response.content.decode()
    assert "Cancel 1 parcel<" in text
    assert 'name="confirmed"' in text
    assert "can no longer be cancelled" in text
    # Since when is told by the reader's clock.
    assert "+00:00" not in text
    assert status_of(two[0]) == "booked"


def test_confirmed_they_are_cancelled_and_the_others_named(
    two: tuple[Booked, Booked], merchant_client: Client
) -> None:
    sent = {"numbers": [parcel.number for parcel in two], "confirmed": "1"}
    text = merchant_client.post(URL, sent).content.decode()
    assert "1 parcel was cancelled" in text
    assert two[1].number in text
    assert "can no longer be cancelled" in text
    assert (status_of(two[0]), status_of(two[1])) == ("cancelled", "picked_up")
    again = merchant_client.post(URL, {"numbers": [two[0].number], "confirmed": "1"}, follow=True)
    assert again.redirect_chain == [("/parcels/", 302)]


def test_parcels_of_others_are_not_named(
    two: tuple[Booked, Booked], rival_merchant: Organisation, merchant_client: Client,
    hangzhou: City, chengdu: City,
) -> None:  # fmt: skip
    foreign = booked(actor_of_organisation(rival_merchant, kind="user"), hangzhou, chengdu, at=NOON)
    for sent in ({}, {"confirmed": "1"}):
        text = merchant_client.post(URL, {"numbers": [foreign.number], **sent}).content.decode()
        assert foreign.number not in text
        assert "None of these parcels is yours" in text
    assert status_of(foreign) == "booked"


@pytest.mark.parametrize("numbers", [[], ["CA0000000000000000"]])
def test_wrong_selection_is_told(merchant_client: Client, numbers: list[str]) -> None:
    response = merchant_client.post(URL, {"numbers": numbers}, follow=True)
    assert response.status_code == (404 if numbers else 200)
    assert ("Select 1 to 1000 parcels" in response.content.decode()) is not bool(numbers)


def test_a_thousand_can_be_confirmed_at_once(merchant_client: Client, two: tuple[Booked, Booked]) -> None:
    others = [tracking_number(new_parcel_id(NOON)) for _number in range(998)]
    sent = {"numbers": [*(parcel.number for parcel in two), *others], "confirmed": "1"}
    assert merchant_client.post(URL, sent).status_code == 200
    assert status_of(two[0]) == "cancelled"
