"""Parcels of a retired month: requests for them get 410, and everything else keeps working."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.database import partitions
from alliance.errors import Conflict
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.models import CreditEntry
from tests.parcels.helpers.retired_months import OLD, retire

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive")]


def test_request_for_a_retired_parcel_is_410(
    settled: list[Parcel], system: Actor, client: Client, merchant_client: Client, merchant_api: APIClient
) -> None:
    number = settled[1].number
    retire(system)
    message = f"This parcel was booked in {OLD}"
    for page in (
        client.get(reverse("parcels:track", args=[number])),
        merchant_client.get(reverse("parcels:parcel_detail", args=[number])),
        merchant_client.get(reverse("parcels:breach_detail", args=[number, "delivery"])),
    ):
        assert page.status_code == 410
        assert message in page.content.decode()
    tracked = client.get(reverse("parcels:track", args=[number])).content.decode()
    assert "This parcel is in the archive" in tracked
    # The number is correct, so it is not shown as an input error.
    assert "is-invalid" not in tracked
    for path in (
        f"/api/v1/tracking/{number}",
        f"/api/v1/parcels/{number}",
        f"/api/v1/breaches/{number}/delivery",
    ):
        answer = merchant_api.get(path)
        assert (answer.status_code, answer.json()["type"]) == (410, "urn:alliance:problem:retired"), path
        assert message in answer.json()["detail"]


def test_unknown_parcel_of_another_month_is_not_found(
    settled: list[Parcel], system: Actor, client: Client
) -> None:
    from alliance.identifiers import new_parcel_id, tracking_number  # noqa: PLC0415

    retire(system)
    number = tracking_number(new_parcel_id(timezone.now()))
    assert client.get(reverse("parcels:track", args=[number])).status_code == 404


def test_pages_with_a_retired_parcel_still_work(
    settled: list[Parcel], system: Actor, merchant_client: Client, courier_client: Client, ops_client: Client
) -> None:
    retire(system)
    with scope(Scope.everything()):
        month = CreditEntry.objects.values_list("month", flat=True)[0]
    pages = {
        merchant_client: [
            reverse("slas:statement_list"),
            reverse("slas:statement_detail", args=[f"{month:%Y-%m}"]),
            reverse("parcels:parcel_list"),
            reverse("slas:breach_list"),
            reverse("slas:rate_list"),
        ],
        courier_client: [reverse("slas:breach_list"), reverse("slas:excuse_list")],
        ops_client: [
            reverse("admin:index"),
            reverse("admin:slas_creditentry_changelist"),
            reverse("admin:slas_excuse_changelist"),
            reverse("admin:alliance_retiredmonth_changelist"),
            reverse("admin:alliance_retiredmonth_change", args=[OLD.first_day]),
        ],
    }
    for visitor, addresses in pages.items():
        for address in addresses:
            assert visitor.get(address).status_code == 200, address


def test_scans_of_a_retired_parcel_are_rejected(settled: list[Parcel], system: Actor, courier: Actor) -> None:
    retire(system)
    with scope(Scope.of(courier)):
        report = record_scans(actor=courier, lines=[ScanLine(settled[0].number, "returned", timezone.now())])
    assert [rejection.code for rejection in report.rejections] == ["unknown_parcel"]


def test_retired_month_is_not_created_again(settled: list[Parcel], system: Actor) -> None:
    retire(system)
    with pytest.raises(Conflict, match="are archived"):
        partitions.ensure_months(OLD, OLD)
