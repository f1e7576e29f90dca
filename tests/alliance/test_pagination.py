"""Pages by cursor: what is no cursor or size of ours is refused, at every list alike."""

from base64 import b64encode

import pytest
from rest_framework.test import APIClient

from tests.alliance.helpers.problems import problem

pytestmark = pytest.mark.django_db
LISTS = ["parcels", "breaches", "excuses", "scorecards"]


def cursor(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "given",
    [
        "  ", "\0", "{}", "%", "x",
        cursor("p=abc"), cursor("p=%00"), cursor("p=NaN"), cursor("p=2026-13-01"), cursor("o=-1"),
        cursor("p=9999-12-31T23:59:59-23:00"), cursor("p=0001-01-01T00:00:00%2B23:00"),
    ],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(courier_api: APIClient, path: str, given: str) -> None:
    body = problem(courier_api.get(f"/api/v1/{path}", {"cursor": given}), 422)
    assert [error["pointer"] for error in body["errors"]] == ["/cursor"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("given", ["0", "-1", "501", "x", "1.5", "²", "٣", "\0", "9" * 30, "1e2"])
def test_what_is_no_size_of_a_page_is_refused(courier_api: APIClient, path: str, given: str) -> None:
    body = problem(courier_api.get(f"/api/v1/{path}", {"page_size": given}), 422)
    assert [error["pointer"] for error in body["errors"]] == ["/page_size"]
    assert body["errors"][0]["detail"] == "Enter a whole number from 1 to 500."


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", [{}, {"page_size": ""}, {"cursor": ""}, {"page_size": "500"}])
def test_what_is_left_empty_is_the_first_page(
    courier_api: APIClient, path: str, query: dict[str, str]
) -> None:
    assert courier_api.get(f"/api/v1/{path}", query).status_code == 200
