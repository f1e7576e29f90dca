"""A parcel with many scans: its pages and the public JSON show the latest, and lead to earlier ones."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from parcels.scans.timelines import SHOWN
from slas.commitments.services.sweeping import sweep_overdue
from tests.parcels.helpers.parcel_views import scan, some_parcels

pytestmark = pytest.mark.django_db
SENT = SHOWN + 20


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    """With scans at SENT places, one a minute, and the correction of one of them."""
    [parcel] = some_parcels(merchant_organisation, courier_organisation, hours_ago=40)
    lines = [
        ScanLine(
            parcel.number, "arrived", parcel.booked_at + timedelta(minutes=n + 1), str(n), None, f"P-{n}"
        )
        for n in range(SENT)
    ]
    with scope(Scope.everything()):
        record_scans(actor=Actor.system("test"), lines=lines)
    scan(parcel, "correction", 39, corrects=str(SENT - 1))
    return parcel


def places(text: str) -> list[str]:
    return re.findall(r"P-\d+", text)


def all_pages(client: Client, url: str) -> list[str]:
    """The places on the first page, and on those that its link leads to."""
    found, query = [], ""
    while True:
        page = client.get(f"{url}{query}").content.decode()
        found.append(places(page))
        link = re.search(r'href="(\?scans_after=[-\d]+)#history"', page)
        if link is None:
            assert "Booked" in page
            return [place for page_of_places in found for place in page_of_places]
        assert len(found[-1]) >= SHOWN - 1
        query = link[1]


def expected() -> list[str]:
    return [f"P-{n}" for n in reversed(range(SENT))]


def test_pages_lead_to_earlier_scans(parcel: Parcel, client: Client, merchant_client: Client) -> None:
    sweep_overdue(now=parcel.booked_at + timedelta(hours=31))
    assert all_pages(client, f"/track/{parcel.number}/") == expected()
    assert all_pages(merchant_client, reverse("parcels:parcel_detail", args=[parcel.number])) == expected()
    breach = reverse("parcels:breach_detail", args=[parcel.number, "delivery"])
    assert all_pages(merchant_client, breach) == expected()
    odd = client.get(f"/track/{parcel.number}/?scans_after=x").content.decode()
    assert places(odd) == expected()[:SHOWN]


def test_json_of_a_breach_leads_to_earlier_scans(parcel: Parcel, merchant_api: APIClient) -> None:
    sweep_overdue(now=parcel.booked_at + timedelta(hours=31))
    url, found = f"/api/v1/breaches/{parcel.number}/delivery", []
    cursor: Any = ""
    while cursor is not None:
        answer = merchant_api.get(url, {"scans_after": cursor} if cursor else {}).json()
        assert len(answer["scans"]) <= SHOWN
        found += [item["facility"] for item in answer["scans"]]
        cursor = answer["scans_next"]
    assert found == expected()
    odd = merchant_api.get(url, {"scans_after": "x"})
    assert (odd.status_code, odd.json()["errors"][0]["pointer"]) == (422, "/scans_after")


def test_admin_leads_to_earlier_scans(parcel: Parcel, ops_client: Client) -> None:
    url = reverse("admin:parcels_parcel_change", args=[parcel.pk])
    first = ops_client.get(url).content.decode()
    link = re.search(r'href="(\?scans_after=[-\d]+)"', first)
    assert link
    second = ops_client.get(url + link[1]).content.decode()
    # The correction is listed here, too.
    assert places(first) == expected()[: SHOWN - 1]
    assert places(second) == expected()[SHOWN - 1 :]
    assert "Latest scans" in second
    assert "Earlier scans" not in second


def test_public_json_leads_to_earlier_events(parcel: Parcel, client: Client) -> None:
    url, found = f"/api/v1/tracking/{parcel.number}", []
    cursor: Any = ""
    while cursor is not None:
        answer = client.get(url, {"events_after": cursor} if cursor else {}).json()
        assert len(answer["events"]) <= SHOWN
        found += [event["facility"] for event in answer["events"]]
        cursor = answer["events_next"]
    assert found == expected()
    odd = client.get(url, {"events_after": "x"})
    assert (odd.status_code, odd.json()["errors"][0]["pointer"]) == (422, "/events_after")
