"""Answers: compressed, with an ETag, at addresses with a slash at their end."""

import gzip

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils.cache import patch_vary_headers
from rest_framework.test import APIClient

from alliance.models import City, Organisation
from alliance.web.answers import vary_by
from slas.models import Offer
from tests.parcels.helpers.bookings import PARCELS, body_for
from tests.slas.helpers.offers import offer

pytestmark = pytest.mark.django_db
GZIP = {"HTTP_ACCEPT_ENCODING": "gzip, deflate, br"}


@pytest.fixture
def sold(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    return offer(courier_organisation, hangzhou, chengdu)


def test_json_and_pages_are_compressed_for_who_takes_it(
    merchant_api: APIClient, merchant_client: Client
) -> None:
    for client, address in ((merchant_api, "/api/v1/tiers"), (merchant_client, "/quote/")):
        plain, packed = client.get(address), client.get(address, **GZIP)
        assert "Content-Encoding" not in plain
        assert packed["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed["Vary"]
        assert len(packed.content) < len(plain.content) / 2
        assert len(gzip.decompress(packed.content)) == pytest.approx(len(plain.content), rel=0.05)


def test_files_are_sent_as_they_are(merchant_client: Client) -> None:
    assert "Content-Encoding" not in merchant_client.get("/parcels/export/", **GZIP)


def test_etag_saves_an_answer_that_did_not_change(merchant_api: APIClient, sold: Offer) -> None:
    first = merchant_api.get(PARCELS)
    again = merchant_api.get(PARCELS, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    # A compressed answer has a weak one, which holds as well.
    packed = merchant_api.get("/api/v1/tiers", **GZIP)
    assert merchant_api.get("/api/v1/tiers", HTTP_IF_NONE_MATCH=packed["ETag"], **GZIP).status_code == 304
    assert merchant_api.post(PARCELS, body_for()).status_code == 201
    assert merchant_api.get(PARCELS, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 200


@pytest.mark.parametrize(
    "before",
    [None, "*", "Accept", "Cookie, Accept", "accept-encoding", "Accept-Language,Accept-Encoding", ""],
)
def test_an_answer_varies_as_django_would_have_it(before: str | None) -> None:
    ours, djangos = (HttpResponse(headers={} if before is None else {"Vary": before}) for _side in range(2))
    for name in ("Accept-Encoding", "Accept-Language", "Accept-Encoding"):
        vary_by(ours, name)
        patch_vary_headers(djangos, [name])
    assert names_in(ours) == names_in(djangos)


def names_in(response: HttpResponse) -> list[str]:
    return [name.strip().lower() for name in response["Vary"].split(",") if name.strip()]


def test_errors_and_pages_have_no_etag(merchant_api: APIClient, merchant_client: Client) -> None:
    assert "ETag" not in merchant_api.get("/api/v1/parcels/CA123")
    assert "ETag" not in merchant_client.get("/quote/")


def test_slash_at_the_end_of_an_address_is_let_pass(merchant_api: APIClient, sold: Offer) -> None:
    assert merchant_api.post(f"{PARCELS}/", body_for()).status_code == 201
    page = merchant_api.get(f"{PARCELS}/?page_size=1").json()
    assert len(page["results"]) == 1
    number = page["results"][0]["tracking_number"]
    assert merchant_api.get(f"{PARCELS}/{number}/").status_code == 200
    assert merchant_api.get("/api/v1/nothing/").status_code == 404
    assert merchant_api.get(f"{PARCELS}//").status_code == 404
