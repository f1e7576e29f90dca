"""GET /api/v1/: what is there, and who asks."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alliance.members.services.api_keys import create_api_key
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope

pytestmark = pytest.mark.django_db


def asked_with(token: str) -> dict[str, Any]:
    response = Client(headers={"authorization": f"Bearer {token}"}).get("/api/v1/")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def test_strangers_are_told_what_is_public(client: Client) -> None:
    found = client.get("/api/v1/").json()
    assert found["name"] == "Courier Alliance API"
    assert [each["name"] for each in found["resources"]] == ["tracking"]
    assert (found["organisation"], found["key"]) == (None, None)
    for name in ("schema_url", "docs_url"):
        path = "/" + found[name].split("/", 3)[3]
        assert client.get(path).status_code == 200


def test_a_key_is_told_whose_it_is_and_when_it_ends(
    merchant: Actor, merchant_organisation: Organisation
) -> None:
    with scope(Scope.of(merchant)):
        key, token = create_api_key(actor=merchant, name="ERP", resources=["labels:read", "parcels:write"])
    found = asked_with(token)
    assert (found["organisation"], found["organisation_kind"]) == (
        merchant_organisation.public_id,
        "merchant",
    )
    assert found["key"]["scopes"] == ["labels:read", "parcels:write"]
    assert found["key"]["prefix"] == f"ca_{key.prefix}"
    assert datetime.fromisoformat(found["key"]["expires_at"]) == key.expires_at
    assert {"parcels": "parcels", "cities": ""}.items() <= {
        each["name"]: each["scope"] for each in found["resources"]
    }.items()


def test_an_ended_key_is_told_so(merchant: Actor) -> None:
    with scope(Scope.of(merchant)):
        long_ago = timezone.now() - timedelta(days=30)
        _key, token = create_api_key(
            actor=merchant, name="ERP", resources=["parcels:read"], days=7, now=long_ago
        )
    answer = Client(headers={"authorization": f"Bearer {token}"}).get("/api/v1/")
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (401, "key_expired")


def test_parameters_are_refused(client: Client) -> None:
    assert client.get("/api/v1/?x=1").status_code == 422
