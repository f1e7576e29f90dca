"""The pages of allocation rules."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.allocation.models import AllocationRule
from tests.slas.helpers.allocation import rule

pytestmark = pytest.mark.django_db
LIST = "slas:rule_list"


def post(client: Client, **values: Any) -> Any:
    return client.post(reverse("slas:rule_create"), {"name": "Heavy", "action": "cheapest", **values})


def stored(merchant: Actor) -> AllocationRule:
    with scope(Scope.of(merchant)):
        return AllocationRule.objects.select_related("origin", "destination").get()


def test_a_rule_is_added_listed_in_words_and_changed(
    merchant_client: Client, merchant: Actor, hangzhou: City
) -> None:
    assert "No rules yet" in merchant_client.get(reverse(LIST)).content.decode()
    post(
        merchant_client, origin="杭州", destination="Hunan province", least_weight="20", most_weight="30.5",
        reference_prefix="B2B", least_reliability="92.5", is_active="on", stops="on",
    )  # fmt: skip
    page = merchant_client.get(reverse(LIST)).content.decode()
    assert "Parcels: from Hangzhou, to Hunan province, 20 to 30.5 kg, reference beginning with “B2B”." in page
    assert "The cheapest courier that is at least 92.5 % on time. No further rule is looked at." in page
    made = stored(merchant)
    assert (made.origin, made.destination_province, made.most_g, made.least_score) == (
        hangzhou, "Hunan", 30_500, 925,
    )  # fmt: skip
    url = reverse("slas:rule_edit", args=[made.pk])
    form = merchant_client.get(url).context["form"]
    values = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    assert values["destination"] == "Hunan province"
    merchant_client.post(url, {**values, "name": "Heavier", "least_weight": "25", "is_active": ""})
    changed = stored(merchant)
    assert (changed.name, changed.least_g, changed.is_active) == ("Heavier", 25_000, False)
    assert (changed.origin, changed.destination_province) == (hangzhou, "Hunan")


def test_shares_are_entered_beside_their_couriers(
    merchant_client: Client, merchant: Actor, courier_organisation: Organisation, rival_courier: Organisation
) -> None:
    one, two = courier_organisation.pk, rival_courier.pk
    values = {"action": "split", "couriers": [one, two], f"share_{one}": "60", f"share_{two}": "30"}
    page = post(merchant_client, **values).content.decode()
    assert "The shares add up to 90 %. They must add up to 100 %." in page
    post(merchant_client, **{**values, f"share_{two}": "40"})
    assert stored(merchant).couriers == {str(one): 60, str(two): 40}
    page = merchant_client.get(reverse(LIST)).content.decode()
    assert "Split by share: Swift Express 60 %, Rival Logistics 40 %." in page


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"origin": "Atlantis"}, "Unknown city"),
        ({"destination": "Suzhou"}, "Several cities"),
        ({"least_weight": "3", "most_weight": "2"}, "hold for no parcel"),
        ({"least_weight": "heavy"}, "Enter a number"),
        ({"least_reliability": "101"}, "less than or equal to 100"),
        ({"action": "most_reliable"}, "Enter the highest price"),
        ({"action": "most_reliable", "highest_price": "ten"}, "Enter the amount in digits"),
        ({"action": "only"}, "Choose at least one courier"),
        ({"action": "never", "couriers": ["99999999"]}, "Unknown courier"),
        ({"action": "fly"}, "Select a valid choice"),
    ],
)
def test_errors_stand_in_the_form(merchant_client: Client, values: dict[str, Any], words: str) -> None:
    response = post(merchant_client, **values)
    assert response.status_code == 422
    assert words in response.content.decode()


def test_rules_are_moved_switched_and_deleted(merchant_client: Client, merchant: Actor) -> None:
    first, second = rule(merchant, "First", "stop"), rule(merchant, "Second", "stop")
    merchant_client.post(reverse("slas:rule_move", args=[second.pk]), {"to": "up"})
    page = merchant_client.get(reverse(LIST)).content.decode()
    assert page.index("<strong>Second") < page.index("<strong>First")
    merchant_client.post(reverse("slas:rule_switch", args=[first.pk]), {"active": "0"})
    assert "Switch on" in merchant_client.get(reverse(LIST)).content.decode()
    merchant_client.post(reverse("slas:rule_delete", args=[second.pk]))
    assert stored(merchant).name == "First"
