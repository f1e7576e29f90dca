"""Forms that were open while something changed: another organisation, or other values."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alliance.choices import Role
from alliance.models import City, Member, Organisation, User
from alliance.tenancy import Scope, scope
from parcels.models import PickupAddress
from slas.models import Offer, ServiceTier
from tests import factories
from tests.alliance.helpers.pages import html_of
from tests.slas.helpers.offers import offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def lane(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    return offer(courier_organisation, hangzhou, chengdu, price_fen=1800)


@pytest.fixture
def second(courier_user: User, rival_courier: Organisation) -> Organisation:
    """Another company that the user of `courier_client` works for as well."""
    with scope(Scope.everything()):
        Member.objects.create(organisation=rival_courier, user=courier_user, role=Role.OWNER)
    return rival_courier


def opened(client: Client, address: str) -> dict[str, str]:
    """Open a page and return the hidden fields that its form carries."""
    html = html_of(client.get(address))
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    match = re.search(r'name="opened_with" value="([^"]*)"', html)
    return {"for_organisation": found["for_organisation"]} | ({"opened_with": match[1]} if match else {})


# --- saved for the organisation that the form was opened for ---


def new_offer(**hidden: str) -> dict[str, Any]:
    tier = ServiceTier.objects.get(code="next_day").pk
    lane = {"tier": str(tier), "origin": "CN-HGH", "destination": "CN-CTU"}
    return {**lane, "price": "20", "daily_capacity": "5", "active": "on", **hidden}


def test_form_of_one_company_is_not_saved_for_another(
    courier_client: Client, courier_organisation: Organisation, second: Organisation
) -> None:
    address = reverse("slas:offer_create")
    hidden = opened(courier_client, address)
    assert hidden["for_organisation"] == str(courier_organisation.pk)
    courier_client.post(reverse("organisation_switch"), {"organisation": second.pk})
    data = new_offer(**hidden)
    response = courier_client.post(address, data)
    assert response.status_code == 409
    html = html_of(response)
    assert "You opened the form for <strong>Swift Express</strong>" in html
    assert "now work for <strong>Rival Logistics</strong>" in html
    # What was typed goes on with the page.
    assert '<input type="hidden" name="price" value="20">' in html
    with scope(Scope.everything()):
        assert not Offer.objects.exists()
    assert courier_client.post(address, {**data, "switch_back": "yes"}).status_code == 302
    with scope(Scope.everything()):
        assert Offer.objects.get().courier_id == courier_organisation.pk


def test_switching_back_needs_the_membership(
    courier_client: Client, courier_user: User, courier_organisation: Organisation, second: Organisation
) -> None:
    address = reverse("slas:offer_create")
    data = new_offer(**opened(courier_client, address), switch_back="yes")
    with scope(Scope.everything()):
        Member.objects.filter(user=courier_user, organisation=courier_organisation).delete()
    response = courier_client.post(address, data)
    assert response.status_code == 409
    assert "that you no longer belong to" in html_of(response)
    with scope(Scope.everything()):
        assert not Offer.objects.exists()


@pytest.mark.parametrize("owner", ["999999", "x", "9" * 30, "-1"])
def test_made_up_owner_is_refused(courier_client: Client, courier_user: User, owner: str) -> None:
    data = {"name": "ERP", "for_organisation": owner, "switch_back": "yes"}
    assert courier_client.post(reverse("api_key_create"), data).status_code == 409


def test_switch_to_an_impossible_id_is_a_404(courier_client: Client, courier_user: User) -> None:
    data = {"organisation": "9" * 5_000}
    assert courier_client.post(reverse("organisation_switch"), data).status_code == 404


def test_page_that_htmx_asks_for_is_loaded_anew(courier_client: Client, second: Organisation) -> None:
    response = courier_client.post(
        reverse("couriers:city_add"),
        {"city": "1"},
        headers={"hx-request": "true", "x-for-organisation": str(second.pk)},
    )
    assert response["HX-Refresh"] == "true"


def test_account_and_switch_belong_to_the_user(
    courier_client: Client, courier_organisation: Organisation, second: Organisation
) -> None:
    stale = {"for_organisation": str(second.pk)}
    data = {"organisation": str(second.pk), **stale}
    assert courier_client.post(reverse("organisation_switch"), data)["Location"] == reverse("home")
    assert courier_client.post(reverse("account_logout"), stale).status_code == 302


@pytest.mark.parametrize("name", ["member_list", "api_key_create", "slas:offer_create", "slas:offer_upload"])
def test_every_form_says_whom_it_is_for(courier_client: Client, courier_user: User, name: str) -> None:
    html = html_of(courier_client.get(reverse(name)))
    # Those of the sidebar mean the same whatever organisation the user works for.
    own = [reverse(name) for name in ("set_language", "set_theme", "account_logout", "organisation_switch")]
    posts = re.findall(r'<form[^>]*method="post".*?</form>', html, re.DOTALL)
    forms = [form for form in posts if not any(f'action="{address}"' in form for address in own)]
    assert forms
    assert all('name="for_organisation"' in form for form in forms)
    assert 'X-For-Organisation": "' in html


# --- changed while the form was open ---


def test_stale_tab_does_not_put_the_old_price_back(
    courier_client: Client, courier_user: User, lane: Offer
) -> None:
    address = reverse("slas:offer_edit", args=[lane.pk])
    hidden = opened(courier_client, address)
    terms = {"daily_capacity": "7", "active": "on"}
    with scope(Scope.everything()):
        Offer.objects.filter(pk=lane.pk).update(price_fen=5800)
    response = courier_client.post(address, {"price": "18.00", **terms, **hidden})
    assert response.status_code == 422
    html = html_of(response)
    assert "it was “18.00” and is “58.00” now" in html
    # What was typed is still there, also in fields without a conflict.
    assert 'value="18.00"' in html
    assert 'value="7"' in html
    with scope(Scope.everything()):
        lane.refresh_from_db()
    assert lane.price_fen == 5800
    # Saving what the page shows now writes over knowingly.
    again = re.search(r'name="opened_with" value="([^"]*)"', html)
    assert again is not None
    data = {"price": "18.00", **terms, "opened_with": again[1]}
    assert courier_client.post(address, data).status_code == 302
    with scope(Scope.everything()):
        lane.refresh_from_db()
    assert (lane.price_fen, lane.daily_capacity) == (1800, 7)


def test_same_change_by_two_is_no_conflict(courier_client: Client, courier_user: User, lane: Offer) -> None:
    address = reverse("slas:offer_edit", args=[lane.pk])
    hidden = opened(courier_client, address)
    with scope(Scope.everything()):
        Offer.objects.filter(pk=lane.pk).update(price_fen=5800)
    data = {"price": "58", "daily_capacity": str(lane.daily_capacity), "active": "on", **hidden}
    assert courier_client.post(address, data).status_code == 302


def test_forged_values_count_as_changed(courier_client: Client, courier_user: User, lane: Offer) -> None:
    address = reverse("slas:offer_edit", args=[lane.pk])
    data = {"price": "20", "daily_capacity": "5", "active": "on", "opened_with": "nonsense"}
    assert courier_client.post(address, data).status_code == 422


def test_stale_role_is_not_put_back(merchant_client: Client, merchant_organisation: Organisation) -> None:
    colleague = factories.member_user("colleague@alliance.example", merchant_organisation, Role.AGENT)
    with scope(Scope.everything()):
        member = Member.objects.get(user=colleague)
    address = reverse("member_edit", args=[member.pk])
    hidden = opened(merchant_client, address)
    with scope(Scope.everything()):
        Member.objects.filter(pk=member.pk).update(role=Role.VIEWER)
    response = merchant_client.post(address, {"role": Role.MANAGER, **hidden})
    assert "it was “Agent” and is “Viewer” now" in html_of(response)


def test_stale_address_is_not_put_back(
    merchant_client: Client, merchant_organisation: Organisation, merchant_user: User, hangzhou: City
) -> None:
    with scope(Scope.everything()):
        place = PickupAddress.objects.create(
            merchant_id=merchant_organisation.pk, name="Shop", city=hangzhou, address="Road 1",
            contact_name="Li", contact_phone="13800000000",
        )  # fmt: skip
    address = reverse("parcels:address_edit", args=[place.pk])
    hidden = opened(merchant_client, address)
    with scope(Scope.everything()):
        PickupAddress.objects.filter(pk=place.pk).update(address="Road 2")
    data = {"name": "Shop", "city": "Hangzhou", "address": "Road 1", "contact_name": "Wang"}
    response = merchant_client.post(address, {**data, "contact_phone": "13800000000", **hidden})
    assert response.status_code == 422
    assert "it was “Road 1” and is “Road 2” now" in html_of(response)
    assert 'value="Wang"' in html_of(response)


def test_another_language_is_no_change(
    merchant_client: Client, merchant_organisation: Organisation, merchant_user: User, hangzhou: City
) -> None:
    with scope(Scope.everything()):
        place = PickupAddress.objects.create(
            merchant_id=merchant_organisation.pk, name="Shop", city=hangzhou, address="Road 1",
            contact_name="Li", contact_phone="13800000000",
        )  # fmt: skip
    address = reverse("parcels:address_edit", args=[place.pk])
    hidden = opened(merchant_client, address)
    merchant_client.cookies["django_language"] = "zh-hans"
    data = {"name": "Shop", "city": "Hangzhou", "address": "Road 1", "contact_name": "Wang"}
    response = merchant_client.post(address, {**data, "contact_phone": "13800000000", **hidden})
    assert response.status_code == 302
