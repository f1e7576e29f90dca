"""JSON that the parser cannot read is the client's error, never status 500."""

import pytest
from rest_framework import serializers
from rest_framework.test import APIClient

from alliance.api.errors import field_errors
from alliance.api.parsing import Body, BodyPart, WordField

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["quotes", "parcels", "parcels/batch"])
@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 50_000, "{", "\x00", '{"a": NaN}'])
def test_unreadable_json_is_malformed(merchant_api: APIClient, path: str, body: str) -> None:
    response = merchant_api.post(f"/api/v1/{path}", data=body, content_type="application/json")
    assert response.status_code == 400, response.content[:200]
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["offers", "parcels", "tiers"])
def test_options_answers_the_methods(courier_api: APIClient, path: str) -> None:
    response = courier_api.options(f"/api/v1/{path}")
    assert response.status_code == 200
    assert response.json() == {"methods": response["Allow"].split(", ")}


def test_unknown_word_is_answered_with_the_list() -> None:
    class Body(serializers.Serializer):
        side = WordField(choices=[("left", "Left"), ("right", "Right")])

    body = Body(data={"side": "up" * 100})

    assert not body.is_valid()
    (error,) = body.errors["side"]
    assert error.code == "invalid_choice"
    assert error == f"“{'up' * 20}” is not a valid choice. Choose from: left, right."


@pytest.mark.parametrize(
    ("data", "pointer", "text"),
    [
        ([], "", "Send an object with the fields."),
        ({"parts": "x"}, "/parts", "Send a list."),
        ({"parts": [1]}, "/parts/0", "Send an object with the fields."),
        ({"parts": [{"names": "x"}]}, "/parts/0/names", "Send a list."),
    ],
)
def test_wrong_kind_of_value_is_told_in_words_of_json(data: object, pointer: str, text: str) -> None:
    class Part(BodyPart):
        names = serializers.ListField(child=serializers.CharField())

    class Whole(Body):
        parts = Part(many=True)

    body = Whole(data=data)

    assert not body.is_valid()
    [error] = field_errors(body.errors)
    assert (error.pointer, str(error.message)) == (pointer, text)
