"""The icon, robots.txt and the language switch of error pages."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_robots_keep_to_the_pages_that_are_for_everybody(client: Client) -> None:
    response = client.get("/robots.txt")
    assert response["Content-Type"].startswith("text/plain")
    rules = response.content.decode().split("User-agent: *")[1]
    assert "Disallow: /\n" in rules
    assert "Allow: /track/$" in rules


def test_icon_is_at_its_old_address(client: Client) -> None:
    response = client.get("/favicon.ico")
    assert (response.status_code, response["Location"].endswith(".ico")) == (302, True)


def test_error_pages_have_the_language_switch() -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get("/no-such-page/")
    text = page.content.decode()
    assert (page.status_code, "中文" in text) == (404, True)
    assert 'name="next" value="/no-such-page/"' in text
    switched = client.post("/language/", {"language": "zh-hans", "next": "/no-such-page/"})
    assert (switched.status_code, switched["Location"]) == (302, "/no-such-page/")
    assert 'lang="zh-Hans"' in client.get("/no-such-page/").content.decode()
