"""Quoting and booking on the pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from alliance.errors import Conflict
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.bookings.services import booking
from parcels.models import Parcel, PickupAddress
from slas.models import Offer
from tests.factories import SWIFT
from tests.parcels.helpers.bookings import tomorrow
from tests.slas.helpers.offers import fill, offer, record, reserved

RECIPIENT = {"name": "王小明", "phone": "138 1234 5678", "address": "人民南路四段12号", "reference": "SO-7"}


def quote_params(**overrides: Any) -> dict[str, Any]:
    ready = tomorrow().strftime("%Y-%m-%dT%H:%M")
    question = {"origin": "Hangzhou", "destination": "成都", "weight": "1.5", "tier": "next_day"}
    return {**question, "ready_at": ready, **overrides}


def offers(client: Client, **overrides: Any) -> Any:
    return client.get(reverse("parcels:quote_create"), quote_params(**overrides))


def first_book_url(client: Client) -> str:
    url: str = offers(client).context["tiers"][0].offers[0].book_url
    return url


def parcels() -> list[Parcel]:
    with scope(Scope.everything()):
        return list(Parcel.objects.all())


def test_quote_and_booking_give_a_tracking_number(merchant_client: Client, sold: Offer) -> None:
    assert merchant_client.get(reverse("parcels:quote_create")).status_code == 200
    compared = offers(merchant_client)
    assert "Swift Express" in compared.content.decode()
    book_url = compared.context["tiers"][0].offers[0].book_url
    assert "Book with Swift Express" in merchant_client.get(book_url).content.decode()
    response = merchant_client.post(book_url, RECIPIENT)
    [parcel] = parcels()
    assert response["Location"] == reverse("parcels:parcel_booked", args=[parcel.number])
    assert (parcel.source, parcel.fee_fen, parcel.recipient_phone) == ("portal", 1550, "138 1234 5678")
    assert (parcel.weight_g, parcel.ready_at) == (1500, tomorrow())
    page = merchant_client.get(response["Location"]).content.decode()
    assert parcel.number in page
    assert "20:00" in page


def test_offers_show_promise_price_record_countdown_and_recommendation(
    merchant_client: Client, sold: Offer, rival_courier: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(rival_courier, hangzhou, chengdu, price_fen=1000)
    record(sold, tomorrow().date() - timedelta(days=1), met=970, late=20, overdue=10)
    response = offers(merchant_client)
    best, other = response.context["tiers"][0].offers
    page = response.content.decode()
    assert (best.courier, best.recommended, other.recommended) == (SWIFT, True, False)
    assert "The best on-time record on this lane: at least 95.7 %" in page
    assert "The courier&#x27;s grade is Member." in page
    assert "n = 1,000" in page
    assert "no deliveries on this lane yet" in page
    assert f'data-countdown="{tomorrow().date()}T18:00:00+08:00"' in page
    assert page.count("Recommended") == 1


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"destination": ""}, "destination", "required"),
        ({"destination": "Atlantis"}, "destination", "Unknown city"),
        ({"destination": "a\x00"}, "destination", "Null characters"),
        ({"origin": ""}, "origin", "Enter where"),
        ({"weight": "0"}, "weight", "weight in kilograms"),
        ({"weight": "heavy"}, "weight", "weight in kilograms"),
        ({"ready_at": "2016-01-01T10:00"}, "ready_at", "has passed"),
        ({"ready_at": "soon"}, "ready_at", "valid date"),
        ({"tier": "overnight"}, "tier", "valid choice"),
    ],
)
def test_invalid_quote_form_shows_errors_at_its_fields(
    merchant_client: Client, sold: Offer, change: dict, field: str, words: str
) -> None:
    response = offers(merchant_client, **change)
    assert response.status_code == 422
    assert words in str(response.context["form"].errors[field])


def test_invalid_recipient_form_is_shown_again(merchant_client: Client, sold: Offer) -> None:
    response = merchant_client.post(
        first_book_url(merchant_client), {**RECIPIENT, "name": "", "phone": "call me"}
    )
    assert response.status_code == 422
    assert set(response.context["form"].errors) == {"name"}
    response = merchant_client.post(first_book_url(merchant_client), {**RECIPIENT, "phone": "call me"})
    assert "Enter a phone number" in str(response.context["form"].errors["phone"])
    assert parcels() == []


def test_text_over_its_limit_is_refused_and_not_cut(merchant_client: Client, sold: Offer) -> None:
    url = first_book_url(merchant_client)
    for page in (merchant_client.get(url), merchant_client.get(reverse("parcels:address_add"))):
        assert "maxlength" not in page.content.decode().partition("<main")[2]
    response = merchant_client.post(url, {**RECIPIENT, "name": "A" * 121})
    assert response.status_code == 422
    assert "A" * 121 in response.content.decode()


def test_offer_that_became_full_is_refused_and_the_next_one_shown(
    merchant_client: Client, sold: Offer
) -> None:
    url = first_book_url(merchant_client)
    fill(sold, tomorrow().date())
    response = merchant_client.post(url, RECIPIENT)
    assert response.status_code == 409
    assert "is full for pickup on" in response.context["problem"]
    # Book again with the offer shown now: the next day.
    again = merchant_client.post(response.context["offer"].book_url, RECIPIENT)
    assert again.status_code == 302
    assert parcels()[0].pickup_date > tomorrow().date()


def test_booking_that_others_outran_is_refused_with_the_form(
    merchant_client: Client, sold: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outrun(**_booking: object) -> None:
        raw_rows("SELECT 1")
        raise Conflict("Too many bookings at once.", code="busy")

    url = first_book_url(merchant_client)
    monkeypatch.setattr(booking, "write_parcels", outrun)
    response = merchant_client.post(url, RECIPIENT)
    assert response.status_code == 409
    assert response.context["problem"] == "Too many bookings at once."
    assert RECIPIENT["address"] in response.content.decode()


def change_price(price_fen: int) -> None:
    with scope(Scope.everything()):
        Offer.objects.update(price_fen=price_fen)


def test_price_that_changed_is_refused_with_the_form_and_the_new_price(
    merchant_client: Client, sold: Offer
) -> None:
    url = first_book_url(merchant_client)
    change_price(5800)
    response = merchant_client.post(url, RECIPIENT)
    page = response.content.decode()
    assert response.status_code == 409
    assert "The price has changed: it is now CNY 61.00." in page
    assert "Book for CNY 61.00" in page
    assert RECIPIENT["address"] in page
    assert parcels() == []
    # The form agrees to what the page says now, and to nothing else.
    change_price(1250)
    again = merchant_client.post(response.context["offer"].book_url, RECIPIENT)
    assert again.status_code == 409
    booked = merchant_client.post(again.context["offer"].book_url, RECIPIENT)
    assert "CNY 15.50" in merchant_client.get(booked["Location"]).content.decode()


def test_booking_that_says_no_price_or_promise_is_asked_to_confirm(
    merchant_client: Client, sold: Offer
) -> None:
    url = reverse("parcels:parcel_book")
    question = {**quote_params(), "courier": SWIFT, "service": "next_day"}
    response = merchant_client.post(f"{url}?{urlencode(question)}", RECIPIENT)
    assert response.status_code == 409
    assert "Check the price and the delivery time" in response.content.decode()
    for name in ("price", "pickup_by", "deliver_by"):
        agreed = {**response.context["offer"].agreed, name: "x"}
        assert (
            merchant_client.post(f"{url}?{urlencode({**question, **agreed})}", RECIPIENT).status_code == 409
        )
    assert parcels() == []


def test_ready_time_that_passed_while_typing_is_booked_from_now_on(
    merchant_client: Client, sold: Offer
) -> None:
    early = (timezone.localtime() - timedelta(minutes=8)).strftime("%Y-%m-%dT%H:%M")
    question = {**quote_params(ready_at=early), "courier": SWIFT, "service": "next_day"}
    url = f"{reverse('parcels:parcel_book')}?{urlencode(question)}"
    shown = merchant_client.get(url)
    assert merchant_client.post(shown.context["offer"].book_url, RECIPIENT).status_code == 302
    assert parcels()[0].ready_at >= parcels()[0].booked_at


def test_offer_withdrawn_while_typing_keeps_the_form_and_shows_the_others(
    merchant_client: Client, sold: Offer, rival_courier: Organisation, hangzhou: City, chengdu: City
) -> None:
    url = first_book_url(merchant_client)
    with scope(Scope.everything()):
        Offer.objects.update(active=False)
    offer(rival_courier, hangzhou, chengdu, price_fen=1000)
    response = merchant_client.post(url, RECIPIENT)
    page = response.content.decode()
    assert response.status_code == 409
    assert "This courier no longer offers this service between these cities." in page
    assert RECIPIENT["address"] in page
    [other] = response.context["others"]
    chosen = merchant_client.post(other.book_url, {**RECIPIENT, "choose": "1"})
    assert (chosen.status_code, parcels()) == (200, [])
    assert RECIPIENT["address"] in chosen.content.decode()
    assert merchant_client.post(other.book_url, RECIPIENT).status_code == 302


def test_quote_that_cannot_be_made_any_more_keeps_the_form(merchant_client: Client, sold: Offer) -> None:
    url = f"{reverse('parcels:parcel_book')}?{urlencode(quote_params(destination='Atlantis'))}"
    response = merchant_client.post(url, RECIPIENT)
    assert response.status_code == 409
    assert "Unknown city" in response.context["problem"]
    assert RECIPIENT["address"] in response.content.decode()


def test_link_to_a_withdrawn_offer_redirects_to_the_quote(merchant_client: Client, sold: Offer) -> None:
    url = first_book_url(merchant_client)
    with scope(Scope.everything()):
        Offer.objects.update(active=False)
    response = merchant_client.get(url, follow=True)
    assert response.redirect_chain[0][0].startswith(reverse("parcels:quote_create"))
    assert "This courier no longer offers this service" in response.content.decode()
    assert merchant_client.get(reverse("parcels:parcel_book"))["Location"].startswith("/quote/")


def test_quote_without_offers_shows_a_message(merchant_client: Client, hangzhou: City) -> None:
    page = offers(merchant_client).content.decode()
    assert "No courier offers this yet" in page
    assert "No courier offers Next day between these cities." in page


def test_parcel_page_cancels_a_parcel(merchant_client: Client, sold: Offer) -> None:
    merchant_client.post(first_book_url(merchant_client), RECIPIENT)
    [parcel] = parcels()
    for _twice in range(2):
        response = merchant_client.post(reverse("parcels:parcel_cancel", args=[parcel.number]))
        assert response["Location"] == reverse("parcels:parcel_detail", args=[parcel.number])
    assert parcels()[0].status == "cancelled"
    assert reserved(sold, tomorrow().date()) == 0


def test_city_suggestions_are_accepted_as_input(merchant_client: Client, sold: Offer) -> None:
    page = merchant_client.get(reverse("parcels:city_options"), {"origin": "hang"}).content.decode()
    assert '<option value="Hangzhou, Zhejiang (CN-HGH)">' in page
    assert offers(merchant_client, origin="Hangzhou, Zhejiang (CN-HGH)").status_code == 200
    assert merchant_client.get(reverse("parcels:city_options"), {"q": "\x00"}).status_code == 200


def test_pickup_addresses_can_be_added_changed_used_and_deleted(
    merchant_client: Client, merchant: Actor, sold: Offer
) -> None:
    values = {
        "name": "Depot", "city": "Hangzhou", "address": "Wensan Road 90", "contact_name": "Li",
        "contact_phone": "0571-85022088", "is_default": "on",
    }  # fmt: skip
    add = reverse("parcels:address_add")
    assert merchant_client.post(add, {**values, "city": "Atlantis", "name": ""}).status_code == 422
    assert merchant_client.post(add, values).status_code == 302
    assert merchant_client.post(add, values).status_code == 422
    assert merchant_client.post(add, {**values, "name": "Shop"}).status_code == 302
    with scope(Scope.of(merchant)):
        rows = {row.name: row for row in PickupAddress.objects.all()}
        assert {name: row.is_default for name, row in rows.items()} == {"Depot": False, "Shop": True}
    edit = reverse("parcels:address_edit", args=[rows["Depot"].pk])
    assert "Hangzhou, Zhejiang (CN-HGH)" in merchant_client.get(edit).content.decode()
    assert merchant_client.post(edit, {**values, "address": "Wensan Road 91"}).status_code == 302
    page = merchant_client.get(reverse("parcels:address_list")).content.decode()
    assert "Wensan Road 91" in page
    refused = offers(merchant_client, origin="Beijing", pickup_address=rows["Depot"].pk)
    assert "Your pickup address is in Hangzhou" in str(refused.context["form"].errors["origin"])
    response = offers(merchant_client, origin="", pickup_address=rows["Depot"].pk)
    merchant_client.post(response.context["tiers"][0].offers[0].book_url, RECIPIENT)
    assert parcels()[0].pickup_address_id == rows["Depot"].pk
    assert merchant_client.post(reverse("parcels:address_delete", args=[rows["Shop"].pk])).status_code == 302
    # Its courier still has to find the place.
    used = reverse("parcels:address_delete", args=[rows["Depot"].pk])
    assert [merchant_client.post(used).status_code for _time in range(2)] == [302, 404]
    page = merchant_client.get(reverse("parcels:address_list")).content.decode()
    assert "Wensan Road 91" not in page
    assert "Wensan Road 91" in merchant_client.get(f"/parcels/{parcels()[0].number}/").content.decode()
    # The name may be used again.
    assert merchant_client.post(add, values).status_code == 302
    refused = offers(merchant_client, origin="Hangzhou", pickup_address=rows["Depot"].pk)
    assert refused.context["form"].errors["pickup_address"]


def test_pickup_addresses_of_other_merchants_are_not_found(
    merchant_client: Client, rival_merchant: Organisation, hangzhou: City
) -> None:
    with scope(Scope.everything()):
        theirs = PickupAddress.objects.create(
            merchant_id=rival_merchant.pk,
            name="X",
            city=hangzhou,
            address="Y",
            contact_name="Z",
            contact_phone="1",
        )
    for name in ("address_edit", "address_delete"):
        assert merchant_client.post(reverse(f"parcels:{name}", args=[theirs.pk]), {}).status_code == 404


@pytest.mark.parametrize(
    "name", ["quote_create", "parcel_book", "address_list", "address_add", "city_options"]
)
def test_pages_are_only_for_merchants(
    client: Client, courier_client: Client, ops_client: Client, name: str
) -> None:
    url = reverse(f"parcels:{name}")
    assert client.get(url)["Location"].startswith(reverse("account_login"))
    assert courier_client.get(url).status_code == 403
    assert ops_client.get(url).status_code == 404
