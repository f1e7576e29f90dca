"""The palette finds pages, parcels, lanes and partners of the actor, and nothing that is not theirs."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alliance.choices import Role
from alliance.database.cluster import is_distributed
from alliance.members.acquaintances import acquaint
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from tests import factories
from tests.parcels.helpers.parcel_views import client_of, some_parcels

pytestmark = pytest.mark.django_db
Company = Organisation


def found(client: Client, text: str, **headers: str) -> dict[str, list[tuple[str, str]]]:
    answer = client.get("/find/", {"q": text}, headers={"HX-Request": "true", **headers})
    assert answer.status_code == 200
    return {
        str(group.label): [(str(hit.label), hit.url) for hit in group.hits]
        for group in answer.context["groups"]
    }


def test_parcels_are_found_by_number_in_any_spelling_and_by_the_start_of_a_reference(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, reference="SO-9001")
    hit = (parcel.number, f"/parcels/{parcel.number}/")
    for client in (client_of(merchant_organisation), client_of(courier_organisation)):
        for text in (parcel.number, f" {parcel.number[:4].lower()} {parcel.number[4:]}", "SO-9", "so-90"):
            assert found(client, text)["Parcels"] == [hit]


def test_others_find_nothing(
    merchant_organisation: Company,
    courier_organisation: Company,
    rival_merchant: Company,
    rival_courier: Company,
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, reference="SO-9001")
    with scope(Scope.everything()):
        acquaint([(merchant_organisation.pk, courier_organisation.pk)])
    for outsider in (client_of(rival_merchant), client_of(rival_courier)):
        for text in (parcel.number, "SO-9", "Swift", "Lotus"):
            assert not {"Parcels", "Partners"} & set(found(outsider, text)), text


def test_partners_are_those_with_parcels_in_common(
    merchant_organisation: Company, courier_organisation: Company, rival_courier: Company
) -> None:
    with scope(Scope.everything()):
        acquaint([(merchant_organisation.pk, courier_organisation.pk)])
    merchant, courier = client_of(merchant_organisation), client_of(courier_organisation)
    assert found(merchant, "swift")["Partners"] == [
        ("Swift Express", f"/rates/?courier={courier_organisation.public_id}")
    ]
    assert found(courier, "lotus")["Partners"] == [
        ("Lotus Tea", f"/rates/?merchant={merchant_organisation.public_id}")
    ]
    assert "Partners" not in found(merchant, "rival")
    for _label, url in found(merchant, "swift")["Partners"] + found(courier, "lotus")["Partners"]:
        assert merchant.get(url).status_code == 200 or courier.get(url).status_code == 200


@pytest.mark.parametrize(
    "text", ["Hangzhou → Chengdu", "hangzhou-chengdu", "杭州 成都", "杭州到成都", "hangzhou to chengdu"]
)
def test_lanes_are_found_in_either_language(merchant_client: Client, text: str) -> None:
    [(label, url), *_others] = found(merchant_client, text)["Lanes and cities"]
    assert (label, url) == ("Hangzhou → Chengdu", "/rates/?origin=CN-HGH&destination=CN-CTU")


def test_a_city_leads_to_where_the_actor_sees_it(merchant_client: Client, courier_client: Client) -> None:
    assert ("Hangzhou", "/offers/?city=CN-HGH") in found(courier_client, "hangzhou")["Lanes and cities"]
    assert ("Hangzhou", "/rates/?destination=CN-HGH") in found(merchant_client, "hangzhou")[
        "Lanes and cities"
    ]


def test_pages_are_those_of_the_role(merchant_organisation: Company, merchant_client: Client) -> None:
    owner, viewer = merchant_client, client_of(merchant_organisation, Role.VIEWER)
    assert found(owner, "keys")["Pages"] == [("API keys", "/api-keys/")]
    assert "Pages" not in found(viewer, "keys")
    everything = found(owner, "")
    assert list(everything) == ["Pages"]
    assert ("Statements", "/statements/") in everything["Pages"]
    assert all(owner.get(url).status_code == 200 for _label, url in everything["Pages"])


def test_hostile_texts_find_nothing_and_break_nothing(merchant_client: Client) -> None:
    for text in (
        "\0",
        "%",
        "_" * 500,
        "' OR 1=1",
        "<script>",
        "→",
        "- -",
        "\u202e",
        "CA" + "0" * 14,
        "\ud800x",
    ):
        answer = merchant_client.get("/find/", {"q": text.encode("utf-8", "replace").decode()})
        assert answer.status_code == 200
        assert "<script>&" not in answer.content.decode()


def test_newcomers_and_anonymous_users() -> None:
    client = Client()
    assert client.get("/find/")["Location"].startswith("/accounts/login/")
    client.force_login(
        factories.user("new@alliance.example"), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert set(found(client, "e")) == {"Pages"}


def test_a_search_costs_the_same_for_few_and_for_many_parcels(
    merchant_organisation: Company, courier_organisation: Company, merchant_client: Client
) -> None:
    some_parcels(merchant_organisation, courier_organisation, reference="SO-1")
    costs: list[int] = []
    for _turn in range(3):
        with CaptureQueriesContext(connection) as queries:
            assert len(found(merchant_client, "SO-")["Parcels"]) <= 5
        costs.append(len(queries))
        some_parcels(merchant_organisation, courier_organisation, count=20, reference="SO-2")
    one, few, many = costs
    assert few == many
    # On a cluster more shards are asked while fewer were found than are shown.
    assert one == few or is_distributed()


def test_palette_is_a_combobox_on_every_page_and_a_page_without_scripts(merchant_client: Client) -> None:
    page = merchant_client.get("/parcels/").content.decode()
    dialog = re.search(r'<dialog class="ca-palette".*?</dialog>', page, re.DOTALL)
    assert dialog is not None
    assert 'role="combobox"' in dialog.group()
    assert 'role="listbox"' in dialog.group()
    assert page.count("data-palette") >= 2
    plain: Any = merchant_client.get("/find/", {"q": "keys"})
    assert "<h1" in plain.content.decode()
    assert 'href="/api-keys/"' in plain.content.decode()
