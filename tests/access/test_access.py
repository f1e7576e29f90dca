"""Requests of all actors to all routes get the responses of the access table."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client, override_settings
from django.urls import URLResolver, get_resolver, resolve, reverse

from tests.access import world as access_world
from tests.access.page import as_markdown
from tests.access.rows import Row
from tests.access.rules import LOGIN, Answer
from tests.access.table import TABLE
from tests.access.world import World, savepoint

pytestmark = pytest.mark.django_db
LOGIN_PAGES = ("/accounts/login/", "/admin/login/")


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One world for all cases, in a transaction that is rolled back at the end."""
    with (
        django_db_blocker.unblock(),
        override_settings(**access_world.settings(tmp_path_factory.mktemp("media"))),
        transaction.atomic(),
    ):
        yield access_world.build()
        transaction.set_rollback(True)


def knock(client: Client, row: Row, things: dict[str, str]) -> HttpResponseBase:
    """Send the row's request, and read the whole answer: some are written while they are read."""
    address = reverse(row.route, args=[things.get(name, name) for name in row.path])
    address = address + (f"?{row.query}" if row.query else "")
    if row.route.startswith("api:"):
        body = "" if row.data is None else json.dumps(row.data)
        response = client.generic(row.method, address, body, content_type="application/json")
    elif row.method == "POST":
        # A browser sends at least the token.
        body = {"csrfmiddlewaretoken": "", **(row.data or {})}
        response = client.post(address, {key: str(value).format(**things) for key, value in body.items()})
    else:
        response = client.generic(row.method, address)
    if response.streaming:
        list(response.streaming_content)
    return response


def answer_of(response: HttpResponseBase) -> Answer:
    location = response.headers.get("Location", "")
    return LOGIN if response.status_code == 302 and location.startswith(LOGIN_PAGES) else response.status_code


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_route_responds_to_each_actor_as_in_the_table(row: Row, world: World) -> None:
    answers = {}
    for actor in row.visitors:
        with savepoint():
            answers[actor] = answer_of(knock(world.client(actor), row, world.things))
    wrong = [f"{a}: {answers[a]}, not {row.expected[a]}" for a in answers if answers[a] != row.expected[a]]
    assert not wrong, "\n".join(wrong)


# Other people's views: what they do with rarer methods is theirs.
THIRD_PARTIES = (
    "django.",
    "allauth.",
    "unfold.",
    "drf_spectacular.",
    "django_prometheus.",
    "django_celery_beat.",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Route:
    name: str
    pattern: str
    view: Any

    @property
    def methods(self) -> tuple[str, ...]:
        foreign = self.pattern.startswith("admin/") or self.view.__module__.startswith(THIRD_PARTIES)
        return METHODS[:2] if foreign else METHODS


def routes(resolver: URLResolver, namespace: str = "", pattern: str = "") -> Iterator[Route]:
    """Walk the URL configuration to its last branch."""
    for entry in resolver.url_patterns:
        here = f"{pattern}{entry.pattern}"
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from routes(entry, inner, here)
        else:
            yield Route(f"{namespace}{entry.name}" if entry.name else "", here, entry.callback)


ROUTES = list(routes(get_resolver()))


def test_every_route_is_in_the_table() -> None:
    table_routes = {row.route for row in TABLE}
    route_names = {route.name for route in ROUTES if route.name}
    assert sorted(route_names - table_routes) == []
    assert sorted(table_routes - route_names) == [], "in the table, but not there"


def test_nameless_routes_are_the_two_kinds_of_the_admin() -> None:
    """Old addresses of a row lead to its page; everything unknown is a 404, or a log-in."""
    nameless = [route for route in ROUTES if not route.name]
    kinds = {
        getattr(getattr(route.view, "view_class", None), "__name__", route.view.__name__)
        for route in nameless
    }
    assert kinds == {"RedirectView", "catch_all_view"}
    assert all(route.pattern.startswith("admin/") for route in nameless)


@pytest.mark.parametrize(("actor", "answer"), [("anonymous", LOGIN), ("courier_owner", LOGIN), ("ops", 404)])
def test_the_admin_says_nothing_of_what_is_not_there(actor: str, answer: Answer, world: World) -> None:
    with savepoint():
        assert answer_of(world.client(actor).get("/admin/nothing/of/the/kind/")) == answer


def test_methods_that_are_not_in_the_table_are_not_allowed(world: World) -> None:
    methods_in_table = {(row.route, row.method) for row in TABLE}
    paths = {row.route: row for row in TABLE}
    allowed = []
    for route in ROUTES:
        for method in route.methods:
            if not route.name or (route.name, method) in methods_in_table:
                continue
            row = replace(paths[route.name], method=method, data=None)
            # Ops: whatever is asked before the method, they may.
            with savepoint():
                answer = answer_of(knock(world.client("ops"), row, world.things))
            if answer != 405:
                allowed.append(f"{method} {route.name}: {answer}")
    assert not allowed, "\n".join(allowed)


def test_the_table_names_each_door_once() -> None:
    names = [row.name for row in TABLE]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_page_about_access_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "access.md"
    assert page.read_text() == "\n".join(as_markdown()) + "\n", (
        "python -m tests.access.table > docs/access.md"
    )


def links_of(response: HttpResponseBase) -> set[str]:
    """Return the addresses of ours that a page offers."""
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return set()
    found = re.findall(r'<a\b[^>]*?href="(/[^"#]*)', response.content.decode())  # type: ignore[attr-defined]
    return {html.unescape(address) for address in found}


# Owners, managers and operators may do everything of their kind.
LIMITED = ("courier_agent courier_finance courier_viewer merchant_agent merchant_viewer applicant newcomer "
           "suspended service")  # fmt: skip


@pytest.mark.parametrize("actor", LIMITED.split())
def test_no_link_leads_to_a_refusal(actor: str, world: World) -> None:
    """Each page that a person is led to from the start page, one of each route."""
    waiting, seen = ["/"], set()
    with savepoint():
        client = world.client(actor)
        while waiting:
            address = waiting.pop()
            match = resolve(address.partition("?")[0])
            if match.view_name in seen:
                continue
            seen.add(match.view_name)
            response = client.get(address)
            if response.streaming:
                list(response.streaming_content)
            if response.status_code in (301, 302):
                waiting.append(response.headers["Location"])
            assert response.status_code not in (403, 404), f"{address} is shown to {actor}"
            waiting += sorted(links_of(response))
