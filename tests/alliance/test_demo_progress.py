"""The bar that pages show while the demo alliance is being loaded, and that it costs nothing elsewhere."""

import logging
from collections.abc import Callable, Iterator

import pytest
from django.conf import LazySettings
from django.db import DatabaseError
from django.test import Client

from alliance import demo_progress
from alliance.demo_progress import DEMO, DemoProgress
from alliance.health import note_heartbeat
from alliance.logs import WithoutPolls
from alliance.models import Heartbeat, User
from tests.alliance.helpers.pages import html_of, refused_by_policy

pytestmark = pytest.mark.django_db
BAR = 'id="demo-progress"'


@pytest.fixture
def loading(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process started beside a demo that is being loaded, without a cached end of it."""
    settings.DEMO_LOADING = True
    monkeypatch.setattr(demo_progress._Known, "is_whole", False)
    return


def test_without_a_demo_no_query_runs(django_assert_num_queries: Callable) -> None:
    note_heartbeat(DEMO, whole=False, people=True, day=3, days=60)
    with django_assert_num_queries(0):
        assert demo_progress.demo_progress() is None


def test_complete_demo_needs_no_further_query(loading: None, django_assert_num_queries: Callable) -> None:
    note_heartbeat(DEMO, whole=False, people=True, day=3, days=60)
    with django_assert_num_queries(1):
        assert demo_progress.demo_progress() == DemoProgress(3, 60, has_people=True, is_stopped=False)
    note_heartbeat(DEMO, whole=True)
    with django_assert_num_queries(1):
        assert demo_progress.demo_progress() is None
    with django_assert_num_queries(0):
        assert demo_progress.demo_progress() is None


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/track/", "/api/docs/"])
def test_public_pages_show_the_bar_and_poll(loading: None, client: Client, path: str, language: str) -> None:
    note_heartbeat(DEMO, whole=False, people=True, day=3, days=60)
    client.cookies["django_language"] = language
    html = html_of(client.get(path))
    assert html.count(BAR) == 1
    assert 'hx-get="/demo-progress/" hx-trigger="every 2s"' in html
    assert '<progress aria-labelledby="demo-progress-label" value="3" max="60">' in html
    assert ("day 3 of 60" if language == "en" else "第 3 天，共 60 天") in html
    assert "css/demo.css" in html
    assert refused_by_policy(html) == []


def test_pages_of_members_and_of_ops_show_it(
    loading: None, client: Client, merchant_user: User, ops_user: User
) -> None:
    note_heartbeat(DEMO, whole=False, people=True, day=3, days=60)
    pages = {
        merchant_user: ["/dashboard/"],
        ops_user: ["/admin/", "/admin/alliance/", "/admin/slas/closure/"],
    }
    assert html_of(client.get("/admin/login/")).count(BAR) == 1
    for user, path in [(user, path) for user, paths in pages.items() for path in paths]:
        client.force_login(user)
        html = html_of(client.get(path))
        assert html.count(BAR) == 1
        assert "css/demo.css" in html


def test_bar_says_when_log_ins_do_not_work_yet(loading: None, client: Client) -> None:
    assert "Its log-ins work in a few seconds" in html_of(client.get("/accounts/login/"))
    note_heartbeat(DEMO, whole=False, day=0, days=60)
    html = html_of(client.get("/accounts/login/"))
    assert "Its log-ins work in a few seconds" in html
    # How long that takes is not known: a bar without a value.
    assert '<progress aria-labelledby="demo-progress-label">' in html


def test_stopped_demo_is_not_polled(loading: None, client: Client) -> None:
    note_heartbeat(DEMO, whole=False, stopped=True)
    html = html_of(client.get("/"))
    assert "make reset starts over" in html
    assert "hx-trigger" not in html.split(BAR)[1].split("</div>")[0]


def test_bar_disappears_with_a_message_when_the_demo_is_complete(
    loading: None, client: Client, django_assert_num_queries: Callable
) -> None:
    note_heartbeat(DEMO, whole=False, people=True, day=60, days=60)
    with django_assert_num_queries(1):
        assert BAR in html_of(client.get("/demo-progress/"))
    note_heartbeat(DEMO, whole=True)
    response = client.get("/demo-progress/")
    assert "no-store" in response["Cache-Control"]
    html = html_of(response)
    assert BAR not in html
    assert 'role="status" hx-swap-oob="innerHTML">The demo is loaded.' in html
    assert "demo" not in html_of(client.get("/")).lower()


def test_without_a_database_a_page_has_no_bar(loading: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_given: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Heartbeat.objects, "filter", away)
    assert demo_progress.demo_progress() is None


@pytest.mark.parametrize(
    ("message", "is_kept"),
    [
        ({"event": "request_finished", "request": "GET /demo-progress/"}, False),
        ({"event": "request_finished", "request": "GET /parcels/"}, True),
        ("GET /demo-progress/", True),
    ],
)
def test_polls_are_not_logged(message: object, is_kept: bool) -> None:
    record = logging.LogRecord("web", logging.INFO, "", 0, message, None, None)
    assert WithoutPolls().filter(record) is is_kept
