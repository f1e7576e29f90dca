"""Orders of several parcels on pages: each parcel shows the others."""

import csv
import html
import io
import re

import pytest
from django.test import Client
from django.urls import reverse

from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.booking import book_order
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from slas.models import Offer
from tests import factories
from tests.parcels.helpers.bookings import parcels_of, request_for
from tests.slas.helpers.offers import today_at

NOON = today_at(12)


@pytest.fixture
def order(merchant: Actor, sold: Offer, hangzhou: City, chengdu: City) -> list[Booked]:
    with scope(Scope.of(merchant)):
        return book_order(
            actor=merchant,
            requests=[
                request_for(hangzhou, chengdu, NOON, weight_g=weight, reference="SO-1", piece=n, pieces=3)
                for n, weight in enumerate((800, 900, 1_000), start=1)
            ],
            at=NOON,
        )


def page(client: Client, name: str, number: str) -> str:
    response = client.get(reverse(f"parcels:{name}", args=[number]))
    assert response.status_code == 200
    return response.content.decode()


def test_parcels_page_shows_its_order_with_states_and_what_can_be_done(
    merchant: Actor, merchant_client: Client, order: list[Booked]
) -> None:
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=order[0].parcel_id, at=NOON)
    text = page(merchant_client, "parcel_detail", order[2].number)
    for n, each in enumerate(order, start=1):
        assert each.number in text
        assert f"{n}/3" in text
    assert "0 of 3 delivered. 1 cancelled." in text
    # Only those that can be: the one that is cancelled is not printed or cancelled again.
    hidden = f'<input type="hidden" name="numbers" value="{order[0].number}">'
    assert hidden not in text
    assert text.count(hidden.replace(order[0].number, order[1].number)) == 2


def test_numbers_of_the_card_lead_to_labels_and_cancelling(
    merchant_client: Client, order: list[Booked]
) -> None:
    numbers = {"numbers": [each.number for each in order]}
    labels = merchant_client.post(reverse("parcels:label_list"), numbers).content.decode()
    places = [labels.index(each.number) for each in order]
    assert places == sorted(places)
    text = merchant_client.post(reverse("parcels:cancel_list"), numbers).content.decode()
    assert "Cancel 3 parcels" in text


def test_courier_sees_the_order_and_cancels_nothing(courier_client: Client, order: list[Booked]) -> None:
    text = page(courier_client, "parcel_detail", order[0].number)
    assert order[2].number in text
    assert "Cancel the whole order" not in text


def test_tracking_page_shows_the_other_parcels_of_the_order_and_no_data(
    client: Client, order: list[Booked]
) -> None:
    text = page(client, "track", order[1].number)
    assert "One order of 3 parcels" in text
    assert reverse("parcels:track", args=[order[0].number]) in text
    for private in ("SO-1", "王小明", "13812345678"):
        assert private not in text


def test_parcels_alone_or_of_another_order_are_not_shown(
    client: Client, merchant: Actor, merchant_client: Client, order: list[Booked], hangzhou: City,
    chengdu: City,
) -> None:  # fmt: skip
    # In the same millisecond, for another recipient, with the same reference.
    with scope(Scope.of(merchant)):
        [alone] = book_order(
            actor=merchant, requests=[request_for(hangzhou, chengdu, NOON, reference="SO-1")], at=NOON
        )
    for name, reader in (("track", client), ("parcel_detail", merchant_client)):
        assert alone.number not in page(reader, name, order[0].number)
        text = page(reader, name, alone.number)
        assert not any(each.number in text for each in order)
        assert 'id="order"' not in text


def test_booked_page_prints_all_labels(merchant_client: Client, order: list[Booked]) -> None:
    text = page(merchant_client, "parcel_booked", order[0].number)
    assert "Print all labels" in text
    # Of all of them.
    assert "CNY 37.50" in text
    assert all(each.number in text for each in order)


def test_list_says_which_parcel_of_how_many_and_its_file_too(
    merchant_client: Client, order: list[Booked]
) -> None:
    text = merchant_client.get(reverse("parcels:parcel_list"), {"search": "SO-1"}).content.decode()
    assert [f">{n}/3<" in text for n in (1, 2, 3)] == [True] * 3
    answer = merchant_client.get(reverse("parcels:parcel_export"), {"search": "SO-1"})
    lines = csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig")))  # type: ignore[arg-type]
    told = sorted((line["piece"], line["piece_count"], line["order"]) for line in lines)
    assert told == [(str(n), "3", order[0].number) for n in (1, 2, 3)]


def test_other_merchant_sees_nothing_of_it(rival_merchant: Organisation, order: list[Booked]) -> None:
    client = factories.logged_in(factories.member_user("other@shop.example", rival_merchant))
    assert client.get(reverse("parcels:parcel_detail", args=[order[0].number])).status_code == 404


# --- quoting and booking an order -------------------------------------------------------------------

RECIPIENT_FORM = {"name": "Wang", "phone": "13812345678", "address": "A 1", "reference": "SO-9"}


def book_url(client: Client, weight: str) -> str:
    query = {"origin": "CN-HGH", "destination": "CN-CTU", "weight": weight, "tier": "next_day"}
    text = client.get(reverse("parcels:quote_create"), query).content.decode()
    [url] = re.findall(r'href="(/[^"]*book[^"]*deliver_by[^"]*)"', text)
    return html.unescape(url)


def test_person_books_an_order_by_its_weights(
    merchant: Actor, merchant_client: Client, sold: Offer, in_one_minute: None
) -> None:
    url = book_url(merchant_client, "1.5 + 2 x 0.8")
    text = merchant_client.get(url).content.decode()
    assert "Book for CNY 40.50" in text
    assert "3 parcels" in text
    response = merchant_client.post(url, RECIPIENT_FORM)
    assert response.status_code == 302, response.content.decode()
    parcels = sorted(parcels_of(merchant), key=lambda parcel: parcel.piece)
    assert [(parcel.piece, parcel.weight_g, parcel.fee_fen) for parcel in parcels] == [
        (1, 1_500, 1550),
        (2, 800, 1250),
        (3, 800, 1250),
    ]
    assert parcels[0].number in response["Location"]


def test_changed_price_of_an_order_is_shown_before_it_is_booked(
    merchant: Actor, merchant_client: Client, sold: Offer, in_one_minute: None
) -> None:
    url = book_url(merchant_client, "0.8 + 0.8")
    with scope(Scope.everything()):
        Offer.objects.filter(pk=sold.pk).update(price_fen=1300)
    response = merchant_client.post(url, RECIPIENT_FORM)
    assert response.status_code == 409
    assert "CNY 26.00" in response.content.decode()
    assert parcels_of(merchant) == []


@pytest.mark.parametrize(
    "weight", ["1.2 +", "0 + 1", "1,2", "100 x 1", "0 x 1", "x", "1001", "-1", "NaN", "Infinity"]
)
def test_weights_that_are_none_are_told(merchant_client: Client, sold: Offer, weight: str) -> None:
    query = {"origin": "CN-HGH", "destination": "CN-CTU", "weight": weight}
    response = merchant_client.get(reverse("parcels:quote_create"), query)
    assert response.status_code == 422
    assert "weight" in response.context["form"].errors


def test_offer_without_room_for_the_whole_order_is_full(
    merchant_client: Client, sold: Offer, in_one_minute: None
) -> None:
    query = {"origin": "CN-HGH", "destination": "CN-CTU", "weight": "21 x 0.8", "tier": "next_day"}
    text = merchant_client.get(reverse("parcels:quote_create"), query).content.decode()
    assert "disabled" in text
