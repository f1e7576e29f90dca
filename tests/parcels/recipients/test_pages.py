"""Pages of the address book, and choosing a recipient on the booking form."""

import re
from typing import Any

import pytest
from django.test import Client

from alliance.models import AuditEntry, City
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, SavedRecipient
from slas.models import Offer
from tests.parcels.recipients.conftest import Save

LIST, OPTIONS = "/recipients/", "/recipients/options/"
HIDDEN = ("138 0000", "1380000", "1101", "1203", "小明")
QUERY = {"origin": "CN-HGH", "destination": "CN-CTU", "weight": "0.8"}


def book_url(client: Client, **more: Any) -> str:
    page = client.get("/quote/", {**QUERY, **more}).content.decode()
    found = re.search(r'href="(/quote/book/\?[^"]+)"', page)
    assert found
    return found[1].replace("&amp;", "&")


def test_the_list_is_masked_and_searched(merchant_client: Client, saved: SavedRecipient, save: Save) -> None:
    save(name="李雷", phone="138 0000 2202")
    page = merchant_client.get(LIST, {"search": "1101"}).content.decode()
    assert "张**" in page
    assert "李*" not in page
    rows = page[page.index('id="recipients"') :].replace("1101</", "")
    assert [text for text in HIDDEN if text in re.sub(r"search=[^\"&]*|value=\"1101\"|1101", "", rows)] == []


def test_a_recipient_is_shown_in_full_only_when_asked_for(
    merchant_client: Client, saved: SavedRecipient
) -> None:
    url = f"{LIST}{saved.pk}/"
    page = merchant_client.get(url).content.decode()
    assert [text for text in HIDDEN if text in page] == []
    page = merchant_client.post(url, {"show": "1"}).content.decode()
    assert 'value="138 0000 1101"' in page
    with scope(Scope.everything()):
        assert AuditEntry.objects.filter(verb="recipient.unmasked").count() == 1


def test_a_recipient_is_added_changed_and_removed(merchant_client: Client, merchant: Actor) -> None:
    data = {"name": "张小明", "phone": "13800001101", "city": "Chengdu", "address": "人民南路四段12号"}
    assert merchant_client.post(f"{LIST}add/", {**data, "city": "Atlantis"}).status_code == 422
    assert merchant_client.post(f"{LIST}add/", data).status_code == 302
    with scope(Scope.of(merchant)):
        saved = SavedRecipient.objects.get()
    changed = merchant_client.post(f"{LIST}{saved.pk}/", {**data, "phone": "13800001102"})
    assert changed.status_code == 302
    with scope(Scope.of(merchant)):
        assert SavedRecipient.objects.get().digits == "13800001102"
    assert merchant_client.post(f"{LIST}{saved.pk}/remove/").status_code == 302
    assert merchant_client.post(f"{LIST}{saved.pk}/remove/").status_code == 404


def test_suggestions_are_masked(merchant_client: Client, saved: SavedRecipient, chengdu: City) -> None:
    page = merchant_client.get(OPTIONS, {"recipient_search": "张", "city": chengdu.pk}).content.decode()
    assert f'value="{saved.pk}"' in page
    assert [text for text in HIDDEN if text in page] == []
    page = merchant_client.get(OPTIONS, {"recipient_search": "李", "city": chengdu.pk}).content.decode()
    assert "Nobody in Chengdu" in page


@pytest.mark.parametrize("city", ["", "x", "9" * 30])
def test_suggestions_without_a_city_are_none(
    merchant_client: Client, saved: SavedRecipient, city: str
) -> None:
    response = merchant_client.get(OPTIONS, {"recipient_search": "张", "city": city})
    assert response.status_code == 200
    assert b"fill" not in response.content


def test_a_chosen_recipient_fills_the_form_and_keeps_the_rest(
    merchant_client: Client, sold: Offer, saved: SavedRecipient, merchant: Actor
) -> None:
    url = book_url(merchant_client)
    page = merchant_client.get(url).content.decode()
    assert 'id="recipient-search"' in page
    page = merchant_client.post(url, {"fill": saved.pk, "reference": "A-7"}).content.decode()
    assert 'value="138 0000 1101"' in page
    assert 'value="A-7"' in page
    with scope(Scope.everything()):
        assert AuditEntry.objects.filter(verb="recipient.unmasked", object_id=saved.pk).exists()
        assert not Parcel.objects.exists()


def test_a_quote_for_a_recipient_ends_at_its_form(
    merchant_client: Client, sold: Offer, saved: SavedRecipient
) -> None:
    page = merchant_client.get("/quote/", {"to": saved.pk}).content.decode()
    assert 'value="Chengdu' in page
    page = merchant_client.get(book_url(merchant_client, to=saved.pk)).content.decode()
    assert f'name="fill" value="{saved.pk}"' in page
    assert [text for text in HIDDEN if text in page] == []


def test_a_recipient_of_another_city_is_not_filled_in(
    merchant_client: Client, sold: Offer, save: Save, hangzhou: City
) -> None:
    elsewhere = save(city=hangzhou)
    page = merchant_client.post(book_url(merchant_client), {"fill": elsewhere.pk}).content.decode()
    assert "This recipient is in Hangzhou" in page
    assert "1203" not in page


def test_a_booking_saves_its_recipient_when_asked_to(
    merchant_client: Client, sold: Offer, merchant: Actor
) -> None:
    data = {"name": "张小明", "phone": "13800001101", "address": "人民南路四段12号"}
    for answer in ({}, {"save": "on"}, {"save": "on"}):
        assert merchant_client.post(book_url(merchant_client), {**data, **answer}).status_code == 302
    with scope(Scope.of(merchant)):
        assert (Parcel.objects.count(), SavedRecipient.objects.count()) == (3, 1)
