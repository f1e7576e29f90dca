"""The real Chromium of the machine, where there is one."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from playwright.sync_api import BrowserContext, expect
from pytest_django.live_server_helper import LiveServer

from alliance.models import City, Organisation, User
from alliance.tenancy import Actor, Scope, scope
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from tests.browser.story import PATIENCE, Alliance, Clock, Person
from tests.parcels.helpers.bookings import booked
from tests.slas.helpers import offers

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM or os.environ.get("CI") == "true":
        return
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="session", autouse=True)
def _browsed(static_root: None) -> None:
    pass


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ARGUMENTS}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def newcomer(
    live_server: LiveServer,
    new_context: Callable[..., BrowserContext],
    settings: LazySettings,
    tmp_path: Path,
) -> Iterator[Callable[..., Person]]:
    """Give somebody a browser, with cookies of their own; what they upload is kept apart."""
    settings.MEDIA_ROOT = tmp_path / "media"
    expect.set_options(timeout=PATIENCE)

    def arrive(**options: Any) -> Person:
        context = new_context(base_url=live_server.url, locale="en-GB", **options)
        return Person(context, context.new_page())

    yield arrive
    expect.set_options(timeout=5_000)


@pytest.fixture
def alliance(
    newcomer: Callable[..., Person],
    clock: Clock,
    courier: Actor,
    merchant: Actor,
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
    courier_user: User,
    merchant_user: User,
    ops_user: User,
) -> Alliance:
    """Two parcels booked next-day and picked up; the next day at 13:00 one of them is delivered."""
    now = clock.put(0, "09:30")
    offers.offer(courier_organisation, hangzhou, chengdu)
    delivered, silent = (booked(merchant, hangzhou, chengdu, at=now).number for _parcel in range(2))
    clock.put(1, "13:00")
    for number in (delivered, silent):
        _scanned(courier, number, "picked_up", clock.at(0, "17:00"))
    _scanned(courier, delivered, "delivered", clock.at(1, "12:30"))
    people = [newcomer() for _person in range(3)]
    for person, user in zip(people, (courier_user, merchant_user, ops_user), strict=True):
        person.log_in(user.email)
    return Alliance(*people, delivered, silent)


def _scanned(courier: Actor, number: str, code: str, occurred_at: datetime) -> None:
    with scope(Scope.of(courier)):
        report = record_scans(actor=courier, lines=[ScanLine(number, code, occurred_at)])
    assert report.accepted == 1
