"""Readers of public pages take programs' short way, and get what the long one answers."""

import re

import pytest
from django.test import Client

from alliance.portal.readers import is_reader

pytestmark = pytest.mark.django_db
# Of a log-in that is over: nobody is known by it, but it takes the long way.
AS_MEMBER = {"sessionid": "long-forgotten"}
PAGES = {"/track/": 200, "/track/?number=x": 422, "/track/CA180HFPF3JNCPRS/": 404, "/track/%3Cb%3E/": 404}
# In any order, because django-csp has sets of them; a page of a session is not kept.
DIFFERENT = {"X-Request-Id", "Content-Security-Policy", "Content-Length", "Cache-Control"}


def reader(**cookies: str) -> Client:
    client = Client()
    client.cookies.load(cookies)
    return client


@pytest.mark.parametrize("path", PAGES)
def test_short_way_leaves_out_nothing_of_a_page(path: str) -> None:
    short, long = reader().get(path), reader(**AS_MEMBER).get(path)
    assert (is_reader(short.wsgi_request), is_reader(long.wsgi_request)) == (True, False)
    assert short.status_code == long.status_code == PAGES[path]
    assert set(short.headers) == set(long.headers)
    for name in set(short.headers) - DIFFERENT:
        assert sorted(short[name].split(", ")) == sorted(long[name].split(", ")), name
    policies = [set(response["Content-Security-Policy"].split("; ")) for response in (short, long)]
    assert policies[0] == policies[1]
    assert short["Cache-Control"] == "private, no-cache"
    assert short.content.decode() == re.sub(r" hx-headers='[^']*'", "", long.content.decode())


@pytest.mark.parametrize("cookies", [{}, AS_MEMBER])
def test_language_and_colours_are_those_chosen(cookies: dict[str, str]) -> None:
    page = reader(django_language="zh-hans", theme="dark", **cookies).get("/track/")
    assert '<html lang="zh-Hans" data-bs-theme="dark"' in page.content.decode()
    assert page["Content-Language"] == "zh-hans"
    # Forgotten by the next request.
    assert '<html lang="en" data-bs-theme="auto"' in reader(**cookies).get("/track/").content.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/track/"), ("GET", "/track/CA180HFPF3JNCPRS/day/"), ("GET", "/accounts/login/")],
)
def test_forms_take_the_long_way(method: str, path: str) -> None:
    assert not is_reader(reader().generic(method, path).wsgi_request)


def test_reader_who_was_told_something_takes_the_long_way() -> None:
    assert not is_reader(reader(messages="x").get("/track/").wsgi_request)


def test_head_has_no_body_and_a_wrong_host_no_page() -> None:
    head = reader().head("/track/")
    assert (head.status_code, head.content) == (200, b"")
    assert reader().get("/track/", headers={"host": "elsewhere.example"}).status_code == 400
