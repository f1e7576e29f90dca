"""Bodies that a reader of JSON chokes on are the sender's error, never ours."""

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["quotes", "parcels", "parcels/batch"])
@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 50_000, "{", "\x00", '{"a": NaN}'])
def test_unreadable_json_is_malformed(merchant_api: APIClient, path: str, body: str) -> None:
    response = merchant_api.post(f"/api/v1/{path}", data=body, content_type="application/json")
    assert response.status_code == 400, response.content[:200]
    assert response["Content-Type"] == "application/problem+json"
