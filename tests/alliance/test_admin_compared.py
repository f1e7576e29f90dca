"""Two people at one form of the admin: nobody's change is written over unseen."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client, RequestFactory

from alliance.admin_compared import ComparedMixin
from alliance.models import City, Organisation, User
from alliance.tenancy import Actor, Scope, scope
from couriers.models import Courier, Facility
from parcels.models import Merchant
from tests import factories
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db


def opened(client: Client, address: str) -> str:
    match = re.search(r'name="opened_with" value="([^"]*)"', html_of(client.get(address)))
    assert match is not None
    return match[1]


@pytest.fixture
def facility(hangzhou: City) -> Facility:
    with scope(Scope.everything()):
        return Facility.objects.create(name="North hub", city=hangzhou, kind="warehouse")


def test_second_save_of_a_facility_is_told_what_changed(
    ops_client: Client, facility: Facility, chengdu: City
) -> None:
    address = f"/admin/couriers/facility/{facility.pk}/change/"
    token = opened(ops_client, address)
    first = {"name": "North hub", "city": chengdu.pk, "kind": "warehouse", "opened_with": token}
    assert ops_client.post(address, first).status_code == 302
    second = {**first, "name": "North hub 2", "city": facility.city_id}
    response = ops_client.post(address, second)
    html = html_of(response)
    assert response.status_code == 200
    # The city goes back to what it was, by name; what was typed stays.
    assert "it was “Hangzhou” and is “Chengdu” now" in html
    assert 'value="North hub 2"' in html
    with scope(Scope.everything()):
        assert Facility.objects.get().city == chengdu
    # Saved again, it is meant.
    again = {**second, "opened_with": re.search(r'name="opened_with" value="([^"]*)"', html)[1]}  # type: ignore[index]
    assert ops_client.post(address, again).status_code == 302
    with scope(Scope.everything()):
        assert Facility.objects.get().name == "North hub 2"


def test_same_change_by_two_is_no_conflict(ops_client: Client, facility: Facility) -> None:
    address = f"/admin/couriers/facility/{facility.pk}/change/"
    data = {"name": "South hub", "city": facility.city_id, "kind": "warehouse"}
    data["opened_with"] = opened(ops_client, address)
    assert ops_client.post(address, data).status_code == 302
    assert ops_client.post(address, data).status_code == 302


def test_name_that_is_taken_but_for_spaces_is_refused_at_its_field(
    ops_client: Client, facility: Facility
) -> None:
    data = {"name": "  North   hub ", "city": facility.city_id, "kind": "warehouse"}
    response = ops_client.post("/admin/couriers/facility/add/", data)
    assert response.status_code == 200
    with scope(Scope.everything()):
        assert Facility.objects.count() == 1


def test_rights_given_meanwhile_are_not_taken_by_a_stale_page(ops_client: Client) -> None:
    person, group = factories.user("new@alliance.example"), Group.objects.create(name="Night shift")
    address = f"/admin/alliance/user/{person.pk}/change/"
    stale = {"name": "New", "is_active": "on", "opened_with": opened(ops_client, address)}
    User.objects.filter(pk=person.pk).update(is_staff=True)
    person.groups.add(group)
    html = html_of(ops_client.post(address, stale))
    assert "it was “no” and is “yes” now" in html
    assert "it was “” and is “Night shift” now" in html
    person.refresh_from_db()
    assert person.is_staff
    assert list(person.groups.all()) == [group]


@pytest.mark.parametrize(
    ("kind", "name", "typed"),
    [("courier", "permit_number", "KD-2"), ("merchant", "name", "Lotus Tea House")],
)
def test_stale_correction_is_told_what_changed(
    ops_client: Client,
    courier_organisation: Organisation,
    merchant_organisation: Organisation,
    kind: str,
    name: str,
    typed: str,
) -> None:
    organisation = courier_organisation if kind == "courier" else merchant_organisation
    app = "couriers" if kind == "courier" else "parcels"
    address = f"/admin/{app}/{kind}/{organisation.pk}/correct/"
    page = html_of(ops_client.get(address))
    data: dict[str, Any] = dict(re.findall(r'<input[^>]*? name="(\w+)"[^>]*? value="([^"]*)"', page))
    data["opened_with"] = opened(ops_client, address)
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=organisation.pk).update(name="Renamed Meanwhile")
    response = ops_client.post(address, {**data, name: typed, "reason": "Typing error."})
    assert response.status_code == 422
    assert "is “Renamed Meanwhile” now" in html_of(response)
    with scope(Scope.everything()):
        assert Organisation.objects.get(pk=organisation.pk).name == "Renamed Meanwhile"
        assert not Courier.objects.filter(permit_number="KD-2").exists()
        assert not Merchant.objects.filter(organisation__name="Lotus Tea House").exists()


def test_every_form_of_the_admin_is_compared(rf: RequestFactory, ops_user: User) -> None:
    """Rows that are edited in a list or beside another row would need a comparison of their own."""
    request = rf.get("/")
    request.user, request.actor = ops_user, Actor.system("test")  # type: ignore[attr-defined]
    for model, listing in admin.site._registry.items():
        assert listing.list_editable == (), model
        assert not any(
            inline.has_change_permission(request) for inline in listing.get_inline_instances(request)
        )
        if listing.has_change_permission(request):
            assert isinstance(listing, ComparedMixin), model
