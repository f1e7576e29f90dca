"""Pages of manifests: both sides walk a handover from the list to the end."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from pypdfium2 import PdfDocument

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.manifests.files import COLUMNS, as_pdf
from parcels.manifests.queries import Pickup, manifest_for
from parcels.manifests.services.making import Made
from parcels.models import Manifest, Parcel, PickupAddress
from tests import factories
from tests.parcels.helpers.parcel_views import client_of, text_of
from tests.parcels.manifests.conftest import DAY, made_of_day, other_day, parcel_of, waiting_parcels


@pytest.fixture
def seller(merchant_organisation: Organisation) -> Client:
    return client_of(merchant_organisation, Role.AGENT)


@pytest.fixture
def driver(courier_organisation: Organisation) -> Client:
    return client_of(courier_organisation, Role.AGENT)


def only_manifest() -> Manifest:
    with scope(Scope.everything()):
        return Manifest.objects.get()


def test_a_handover_from_the_merchants_form_to_the_couriers_button(
    seller: Client,
    driver: Client,
    courier_organisation: Organisation,
    address: PickupAddress,
    waiting: list[Parcel],
) -> None:
    form = seller.get("/manifests/new/")
    assert address.name in text_of(form)
    values = {"courier": courier_organisation.pk, "place": f"a{address.pk}", "day": DAY().isoformat()}
    made = seller.post("/manifests/new/", values)
    manifest = only_manifest()
    url = f"/manifests/{manifest.number}/"
    assert (made.status_code, made["Location"]) == (302, url)
    assert "西溪仓库" in text_of(driver.get("/manifests/"))
    found = driver.get("/manifests/", {"number": manifest.number.lower()})
    assert found["Location"] == url
    page = driver.get(url)
    assert "3 parcels are on the list" in text_of(page)
    told = {"missing": f"{waiting[0].number}\r\n", "extra": "CA1"}
    done = text_of(driver.post(f"{url}pick-up/", told, follow=True))
    assert "2 parcels were picked up." in done
    assert "CA1: A tracking number has 16" in done
    for side in (driver, seller):
        text = text_of(side.get(url))
        assert "Handed over" in text
        assert "Missing: on the list, not found" in text
    assert parcel_of(waiting[1].pk).status == "picked_up"
    assert manifest.number in text_of(seller.get(f"/parcels/{waiting[1].number}/"))
    assert "No manifest here" in text_of(driver.get("/manifests/"))


def test_a_day_without_waiting_parcels_is_said(
    seller: Client, courier_organisation: Organisation, address: PickupAddress, waiting: list[Parcel]
) -> None:
    before = (DAY() - timedelta(days=1)).isoformat()
    values = {"courier": courier_organisation.pk, "place": f"a{address.pk}", "day": before}
    refused = seller.post("/manifests/new/", values)
    assert refused.status_code == 422
    assert "No parcel of this courier, place and day" in text_of(refused)


def test_a_selection_of_several_pickups_becomes_several_lists(
    seller: Client,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    address: PickupAddress,
    waiting: list[Parcel],
) -> None:
    parties = (merchant_organisation, courier_organisation)
    [later] = waiting_parcels(*parties, address, pickup_date=other_day())
    numbers = [each.number for each in (*waiting, later)]
    text = text_of(seller.post("/manifests/selected/", {"numbers": numbers}))
    assert "One for each courier, address and day" in text
    with scope(Scope.everything()):
        assert sorted(Manifest.objects.values_list("listed", flat=True)) == [1, 3]
    again = text_of(seller.post("/manifests/selected/", {"numbers": numbers}))
    assert again.count("is on manifest MF") == 4


def test_cancelling_and_remarks(seller: Client, driver: Client, made: Made, waiting: list[Parcel]) -> None:
    url = f"/manifests/{made.manifest.number}/"
    driver.post(f"{url}remark/", {"remark": "仓库关门了"})
    assert "仓库关门了" in text_of(seller.get(url))
    seller.post(f"{url}cancel/")
    assert parcel_of(waiting[0].pk).manifest_id is None
    refused = driver.post(f"{url}pick-up/")
    assert refused.status_code == 409
    assert "has cancelled this manifest" in text_of(refused)


def test_strangers_and_the_numbers_of_others(made: Made, client: Client) -> None:
    url = f"/manifests/{made.manifest.number}/"
    assert client.get(url)["Location"].startswith("/accounts/login/")
    rival = client_of(factories.courier_organisation("Rival Logistics"))
    assert rival.get(url).status_code == 404
    assert "You have no manifest" in text_of(rival.get("/manifests/", {"number": made.manifest.number}))


def test_the_pdf_has_all_parcels_and_no_phone(
    seller: Client, courier: Actor, made: Made, waiting: list[Parcel]
) -> None:
    answer = seller.get(f"/manifests/{made.manifest.number}/list.pdf")
    text = "".join(page.get_textpage().get_text_range() for page in PdfDocument(answer.content))
    for parcel in waiting:
        assert parcel.number in text
    assert "欧阳娜娜" not in text
    assert "12345678" not in text.replace(" ", "")
    assert "Page 1 of 1" in text


def test_the_csv_says_what_became_of_each(seller: Client, made: Made, waiting: list[Parcel]) -> None:
    answer = seller.get(f"/manifests/{made.manifest.number}/parcels.csv")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0].split(",") == [*COLUMNS]
    page = (settings.BASE_DIR / "docs" / "manifests.md").read_text()
    assert all(f"`{column}`" in page for column in COLUMNS)
    assert len(lines) == 4
    assert all("to_pick_up" in line for line in lines[1:])


def test_two_hundred_parcels_take_a_few_pages(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    address: PickupAddress,
    pickup: Pickup,
) -> None:
    waiting_parcels(merchant_organisation, courier_organisation, address, count=200)
    manifest = made_of_day(merchant, pickup).manifest
    with scope(Scope.of(merchant)):
        content = as_pdf(merchant, manifest_for(merchant, manifest.number))
    assert 4 <= len(PdfDocument(content)) <= 8
