"""JSON that the parser cannot read is the client's error, never status 500."""

import pytest
from rest_framework import serializers
from rest_framework.test import APIClient

from alliance.api.parsing import WordField

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["quotes", "parcels", "parcels/batch"])
@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 50_000, "{", "\x00", '{"a": NaN}'])
def test_unreadable_json_is_malformed(merchant_api: APIClient, path: str, body: str) -> None:
    response = merchant_api.post(f"/api/v1/{path}", data=body, content_type="application/json")
    assert response.status_code == 400, response.content[:200]
    assert response["Content-Type"] == "application/problem+json"


def test_unknown_word_is_answered_with_the_list() -> None:
    class Body(serializers.Serializer):
        side = WordField(choices=[("left", "Left"), ("right", "Right")])

    body = Body(data={"side": "up" * 100})

    assert not body.is_valid()
    (error,) = body.errors["side"]
    assert error.code == "invalid_choice"
    assert error == f"“{'up' * 20}” is not a valid choice. Choose from: left, right."
