"""Declared values: from each door to the parcel and to the delivery's commitment, and their limit."""

import csv
import inspect
import io
import sys
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from alliance.wording import amount
from parcels.api.serializers import QuoteBody
from parcels.models import Parcel
from slas.models import Commitment, Offer
from slas.promises.prices import yuan
from tests.factories import RIVAL, SWIFT
from tests.parcels.bookings.test_portal import RECIPIENT, offers
from tests.parcels.helpers.booking_files import HEADER, finished, results, row, text_of
from tests.parcels.helpers.bookings import BATCH, PARCELS, QUOTES, body_for, book, pointers
from tests.slas.helpers.allocation import rule
from tests.slas.helpers.offers import offer

pytestmark = pytest.mark.django_db


def declared() -> list[tuple[int | None, int | None, int | None]]:
    """What each parcel, its delivery and its pickup say."""
    with scope(Scope.everything()):
        said = {(row.parcel_id, row.kind): row.declared_value_fen for row in Commitment.objects.all()}
        return [
            (parcel.declared_value_fen, said[parcel.pk, "delivery"], said[parcel.pk, "pickup"])
            for parcel in Parcel.objects.order_by("id")
        ]


def test_one_booking_carries_it_to_its_delivery(merchant_api: APIClient, sold: Offer) -> None:
    answer = book(merchant_api, declared_value="1200.50")
    assert answer["declared_value"] == "1200.50"
    url = f"{PARCELS}/{answer['tracking_number']}"
    assert merchant_api.get(url).json()["declared_value"] == "1200.50"
    assert declared() == [(120_050, 120_050, None)]


def test_the_list_as_a_file_has_it(
    merchant_api: APIClient, merchant_client: Client, courier_client: Client, sold: Offer
) -> None:
    book(merchant_api, declared_value="1200.50")
    for client in (merchant_client, courier_client):
        content: Any = client.get("/parcels/export/")
        [line] = csv.DictReader(io.StringIO(b"".join(content.streaming_content).decode("utf-8-sig")))
        assert line["declared_value"] == "1200.50"


def test_the_limit_in_the_description_is_the_setting() -> None:
    limit = amount(yuan(settings.DECLARED_VALUE_LIMIT_FEN))
    assert limit in str(QuoteBody().fields["declared_value"].help_text)
    assert limit not in inspect.getsource(sys.modules[QuoteBody.__module__])


def test_a_batch_carries_each_its_own(merchant_api: APIClient, sold: Offer) -> None:
    values = ["20000", None, 0, "20000.01", "-1", "9.999"]
    body = {"parcels": [body_for(declared_value=value) for value in values]}
    results = merchant_api.post(BATCH, body).json()["results"]
    assert [item.get("declared_value") for item in results[:3]] == ["20000.00", None, None]
    wrong = [(error["pointer"], error["code"]) for item in results[3:] for error in item["errors"]]
    codes = ["over_limit", "negative", "too_precise"]
    assert wrong == [(f"/parcels/{n}/declared_value", code) for n, code in enumerate(codes, start=3)]
    assert "20,000.00" in results[3]["errors"][0]["detail"]
    assert sorted(declared(), key=str) == [(2_000_000, 2_000_000, None), *[(None, None, None)] * 2]


def test_the_limit_is_a_setting(merchant_api: APIClient, sold: Offer, settings: Any) -> None:
    settings.DECLARED_VALUE_LIMIT_FEN = 100
    for url in (PARCELS, QUOTES):
        body = body_for(declared_value="1.01", **({"recipient": ...} if url == QUOTES else {}))
        response = merchant_api.post(url, body)
        assert (response.status_code, pointers(response)) == (422, [("/declared_value", "over_limit")])


def test_the_pages_ask_and_show_it(merchant_client: Client, sold: Offer) -> None:
    refused = offers(merchant_client, declared_value="20000.01")
    assert refused.status_code == 422
    assert "20,000.00" in refused.content.decode()
    book_url = offers(merchant_client, declared_value="300").context["tiers"][0].offers[0].book_url
    assert "CNY 300.00" in merchant_client.get(book_url).content.decode()
    merchant_client.post(book_url, RECIPIENT)
    assert declared() == [(30_000, 30_000, None)]
    with scope(Scope.everything()):
        number = Parcel.objects.get().number
    assert (
        "CNY 300.00" in merchant_client.get(reverse("parcels:parcel_detail", args=[number])).content.decode()
    )
    track = Client().get(reverse("parcels:track", args=[number])).content.decode()
    assert "300.00" not in track


@pytest.mark.usefixtures("filing")
def test_files_have_a_column_for_it(merchant: Actor) -> None:
    values = ["88.8", "", "0.00", "20000.01", "1,200"]
    rows = [row(declared_value=value) for value in values]
    file = finished(
        merchant, text_of(*rows, header=(*HEADER, "declared_value")).replace("declared_value", "保价金额")
    )
    assert [(result["column"], result["problem"]) for result in results(file)[3:]] == [
        ("declared_value", "over_limit"),
        ("declared_value", "invalid"),
    ]
    assert sorted(declared(), key=str) == [(8_880, 8_880, None), *[(None, None, None)] * 2]


def test_a_rule_looks_at_it(
    merchant: Actor, merchant_api: APIClient, sold: Offer, rival_courier: Organisation
) -> None:
    offer(rival_courier, sold.origin, sold.destination, price_fen=sold.price_fen * 3)
    rule(merchant, "Dear", "only", couriers=[rival_courier], least_declared_fen=100_000)
    assert book(merchant_api, declared_value="1000")["courier"] == RIVAL
    assert book(merchant_api, declared_value="999.99")["courier"] == SWIFT
    assert book(merchant_api)["courier"] == SWIFT
    body = body_for(recipient=..., declared_value="1000")
    quoted = merchant_api.post(QUOTES, body).json()["offers"]
    assert {each["courier"] for each in quoted if each["recommended"]} == {RIVAL}
