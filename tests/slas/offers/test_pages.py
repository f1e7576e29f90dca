"""A courier's offers on the portal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from slas.models import Offer, ServiceTier
from tests import factories

pytestmark = pytest.mark.django_db

NEW = {"origin": "杭州", "destination": "CN-CTU", "price": "12.50", "daily_capacity": "100", "active": "on"}

# User and session, three scopes (open, set, release, restore), menu, and five of the list's own.
LIST_QUERIES = 18


@pytest.fixture(autouse=True)
def _private_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def _new(**changed: str) -> dict[str, str]:
    return {**NEW, "tier": str(ServiceTier.objects.get(code="next_day").pk), **changed}


def _offer() -> Offer:
    with scope(Scope.everything()):
        return Offer.objects.get()


def test_offer_is_added_listed_and_changed(courier_client: Client) -> None:
    courier_client.post(reverse("slas:offer_create"), _new())
    page = courier_client.get(reverse("slas:offer_list")).content.decode()
    assert "Hangzhou → Chengdu" in page
    assert "CNY 12.50" in page
    changed = {"price": "9.90", "daily_capacity": "5"}
    courier_client.post(reverse("slas:offer_edit", args=[_offer().pk]), changed)
    assert (_offer().price_fen, _offer().daily_capacity, _offer().active) == (990, 5, False)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("origin", "Atlantis", "Unknown city"),
        ("price", "cheap", "amount"),
        ("price", "0", "above 0"),
        ("daily_capacity", "-1", "greater than or equal to 0"),
    ],
)
def test_errors_stand_at_their_fields(courier_client: Client, field: str, value: str, words: str) -> None:
    response = courier_client.post(reverse("slas:offer_create"), _new(**{field: value}))
    assert response.status_code == 422
    assert words in " ".join(response.context["form"].errors[field])


def test_existing_lane_is_reported(courier_client: Client) -> None:
    courier_client.post(reverse("slas:offer_create"), _new())
    response = courier_client.post(reverse("slas:offer_create"), _new())
    assert response.status_code == 422
    assert "already sell this lane at this tier" in response.content.decode()


def test_upload_answers_row_by_row(courier_client: Client) -> None:
    text = (
        "tier,origin,destination,price,daily_capacity\nnext_day,杭州,成都,1,1\nnext_day,Atlantis,成都,1,1\n"
    )
    file = SimpleUploadedFile("offers.csv", text.encode())
    response = courier_client.post(reverse("slas:offer_upload"), {"file": file}, follow=True)
    assert (response.context["file"].created, response.context["file"].rejected) == (1, 1)
    assert "Atlantis" in response.content.decode()


def test_upload_without_file_is_an_error_at_the_field(courier_client: Client) -> None:
    response = courier_client.post(reverse("slas:offer_upload"), {})
    assert response.status_code == 422
    assert response.context["form"].errors["file"]


def test_download_has_the_format_of_the_upload(courier_client: Client) -> None:
    courier_client.post(reverse("slas:offer_create"), _new())
    content = courier_client.get(reverse("slas:offer_download")).content
    upload = {"file": SimpleUploadedFile("o.csv", content)}
    file = courier_client.post(reverse("slas:offer_upload"), upload, follow=True).context["file"]
    assert (file.created, file.changed, file.unchanged) == (0, 0, 1)


def test_offers_of_others_are_not_there(courier_client: Client, rival_courier: Organisation) -> None:
    courier_client.post(reverse("slas:offer_create"), _new())
    rival = Client()
    rival.force_login(
        factories.member_user("rival@alliance.example", rival_courier),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert rival.get(reverse("slas:offer_edit", args=[_offer().pk])).status_code == 404
    assert "Hangzhou" not in rival.get(reverse("slas:offer_list")).content.decode()


def test_a_viewer_sees_and_does_not_change(
    courier_client: Client, courier_organisation: Organisation
) -> None:
    courier_client.post(reverse("slas:offer_create"), _new())
    viewer = Client()
    viewer.force_login(
        factories.member_user("viewer@alliance.example", courier_organisation, Role.VIEWER),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert reverse("slas:offer_create") not in viewer.get(reverse("slas:offer_list")).content.decode()
    assert viewer.post(reverse("slas:offer_create"), _new()).status_code == 403


@pytest.mark.parametrize(
    "query", [{"tier": "rocket"}, {"tier": "999999"}, {"city": "Han\0"}, {"city": "H" * 81}]
)
def test_invalid_filters_list_no_offers(courier_client: Client, query: dict[str, str]) -> None:
    courier_client.post(reverse("slas:offer_create"), _new())
    response = courier_client.get(reverse("slas:offer_list"), query)
    assert response.status_code == 422
    assert response.context["offers"] == []
    [name] = query
    assert f'id="id_{name}_error" hx-swap-oob="true"><p>' in response.content.decode()


@pytest.mark.parametrize("destinations", [["CN-CTU"], ["CN-CTU", "CN-BJS", "CN-SHA"]])
def test_list_runs_the_same_queries_for_many_offers_as_for_one(
    courier_client: Client, django_assert_num_queries: Callable, destinations: list[str]
) -> None:
    for destination in destinations:
        courier_client.post(reverse("slas:offer_create"), _new(destination=destination))
    url = reverse("slas:offer_list")
    courier_client.get(url)
    with django_assert_num_queries(LIST_QUERIES):
        courier_client.get(url)
