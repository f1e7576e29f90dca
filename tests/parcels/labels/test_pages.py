"""The pages of labels, and where a QR code leads."""

import io
import json

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.choices import ParcelStatus
from parcels.models import Parcel
from tests import factories
from tests.parcels.helpers.parcel_views import client_of, some_parcels, text_of

pytestmark = pytest.mark.django_db


def printed_at(parcel: Parcel) -> object:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=parcel.pk).label_printed_at


@pytest.fixture
def merchant(merchant_organisation: Organisation) -> Client:
    return client_of(merchant_organisation, Role.OWNER)


def test_a_qr_code_leads_each_to_the_right_page(
    courier_organisation: Organisation, merchant: Client, parcel: Parcel
) -> None:
    address = reverse("parcels:label_open", args=[parcel.number])
    own, tracking = (reverse(f"parcels:{name}", args=[parcel.number]) for name in ("parcel_detail", "track"))
    assert Client().get(address)["Location"] == tracking
    assert merchant.get(address)["Location"] == own
    assert client_of(courier_organisation).get(address)["Location"] == own
    rival = client_of(factories.merchant_organisation("Rival"))
    assert rival.get(address)["Location"] == tracking
    assert Client().get("/s/nonsense/").status_code == 302


def test_a_preview_is_a_picture_and_no_print(merchant: Client, parcel: Parcel) -> None:
    page = merchant.get(reverse("parcels:label_page", args=[parcel.number]))
    assert f"/parcels/{parcel.number}/label.png" in page.content.decode()
    picture = merchant.get(reverse("parcels:label_picture", args=[parcel.number]), {"size": "100x150"})
    assert Image.open(io.BytesIO(picture.content)).size == (800, 1200)
    assert printed_at(parcel) is None


def test_ticked_parcels_are_printed_in_their_order(
    merchant: Client, merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    parcels = some_parcels(merchant_organisation, courier_organisation, count=3)
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcels[1].pk).update(status=ParcelStatus.CANCELLED)
    numbers = [each.number for each in reversed(parcels)]
    page = merchant.post(reverse("parcels:label_list"), {"numbers": numbers})
    assert "Print 2 labels" in text_of(page)
    assert "This parcel was cancelled" in text_of(page)
    assert f"{parcels[2].number}\n{parcels[0].number}" in page.content.decode()
    answer = merchant.post(reverse("parcels:label_print"), {"numbers": "\n".join(numbers), "format": "zpl"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.index(parcels[2].number) < text.index(parcels[0].number)
    assert printed_at(parcels[0]) is not None


def test_all_that_a_filter_lists_are_taken(merchant: Client, parcel: Parcel) -> None:
    listed = merchant.post(reverse("parcels:label_list"), {"all": "1", "filters": "status=booked"})
    assert parcel.number in text_of(listed)
    none = merchant.post(reverse("parcels:label_list"), {"all": "1", "filters": "status=delivered"})
    assert parcel.number not in text_of(none)


def test_a_script_is_told_the_progress_and_gets_the_file(
    merchant: Client, merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    parcels = some_parcels(merchant_organisation, courier_organisation, count=41)
    answer = merchant.post(
        reverse("parcels:label_print"),
        {"numbers": [*(each.number for each in parcels), "x"]},
        headers={"Accept": "application/x-ndjson"},
    )
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["made"] for line in lines] == [20, 40, 41]
    assert lines[-1]["name"] == "labels-41.pdf"
    assert [number for number, _reason in lines[-1]["refused"]] == ["x"]


def test_nothing_to_print_is_said_on_the_page(merchant: Client) -> None:
    answer = merchant.post(reverse("parcels:label_print"), {"numbers": "x"})
    assert answer.status_code == 409
    assert "None of these numbers gets a label." in text_of(answer)


def test_the_company_chooses_its_size(merchant: Client, merchant_organisation: Organisation) -> None:
    merchant.post(reverse("parcels:label_size"), {"size": "100x150"})
    with scope(Scope.everything()):
        merchant_organisation.refresh_from_db()
    assert merchant_organisation.label_size == "100x150"
