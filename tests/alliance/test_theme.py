"""Light and dark pages: the choice is the reader's, and holds on every page."""

import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

STYLES = Path("alliance/static/css")
# The admin and the API's documentation have colours of their own.
OTHER = {"admin.css", "api_docs.css", "ops.css", "ops_promised.css", "ops_scores.css"}


def theme_of(client: Client, page: str = "/") -> str:
    html = client.get(page).content.decode()
    return re.search(r'<html[^>]* data-bs-theme="([^"]*)"', html)[1]


@pytest.mark.django_db
def test_pages_follow_the_system_until_somebody_chooses(client: Client) -> None:
    assert theme_of(client) == "auto"
    assert client.post(reverse("set_theme"), {"theme": "dark", "next": "/track/"})["Location"] == "/track/"
    assert theme_of(client) == theme_of(client, "/no-such-page/") == "dark"
    client.post(reverse("set_theme"), {"theme": "light"})
    assert theme_of(client) == "light"
    client.post(reverse("set_theme"), {"theme": "auto"})
    assert theme_of(client) == "auto"


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "pink", '"><script>', "DARK"])
def test_what_is_no_theme_is_none(client: Client, given: str) -> None:
    client.post(reverse("set_theme"), {"theme": given})
    assert theme_of(client) == "auto"
    client.cookies["theme"] = given
    assert theme_of(client) == "auto"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "javascript:x", ""]
)
def test_the_switch_leads_nowhere_else(client: Client, elsewhere: str) -> None:
    assert client.post(reverse("set_theme"), {"theme": "dark", "next": elsewhere})["Location"] == "/"


@pytest.mark.django_db
def test_the_switch_marks_what_is_chosen(client: Client) -> None:
    client.post(reverse("set_theme"), {"theme": "dark"})
    html = client.get("/").content.decode()
    switch = html[html.index("data-theme-form") :]
    assert re.findall(r'value="(\w+)" title="[^"]*" aria-current', switch) == ["dark"]


def test_every_colour_has_a_dark_one() -> None:
    """A colour outside light-dark() would be the same on a dark page: only what is meant to be may."""
    same_on_both = {"--ca-orange: #f2762e", "fill: #d39a2d", "box-shadow", "mask", "--ca-petrol, #0b6e75"}
    bare = []
    for path in STYLES.glob("*.css"):
        if path.name in OTHER:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            told = re.sub(r"light-dark\([^()]*\)", "", line)
            printed = "background: #fff; }" in line and line.startswith("  body")
            if (
                re.search(r"#[0-9a-f]{3,8}\b", told)
                and not printed
                and not any(s in told for s in same_on_both)
            ):
                bare.append(f"{path.name}:{number}: {line.strip()}")
    assert bare == []
