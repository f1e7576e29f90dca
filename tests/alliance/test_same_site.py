"""The forms of language and colours: without a cookie or token, but not for other sites."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
FORMS = {"/language/": {"language": "zh-hans"}, "/theme/": {"theme": "dark"}}
PAGES = ("/track/", "/track/?number=x", "/track/CA180G9J93M00R1W/", "/no-such-page/")


def send(path: str, **headers: str) -> tuple[int, set[str]]:
    response = Client(enforce_csrf_checks=True).post(path, FORMS[path], headers=headers)
    return response.status_code, {*response.cookies}


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://testserver"},
        # A proxy ends TLS, and does not say so.
        {"Origin": "https://testserver"},
    ],
)
def test_choice_is_taken_without_a_token(path: str, headers: dict[str, str]) -> None:
    status, cookies = send(path, **headers)
    assert status == 302
    assert cookies in ({"theme"}, {"django_language"})


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_choice_of_another_site_is_refused(path: str, headers: dict[str, str]) -> None:
    assert send(path, **headers) == (403, set())


@pytest.mark.parametrize("path", PAGES)
def test_pages_for_everybody_give_nobody_a_cookie(path: str) -> None:
    assert not Client().get(path).cookies
