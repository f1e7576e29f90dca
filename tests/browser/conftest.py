"""The real Chromium of the machine, where there is one."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import override_settings
from playwright.sync_api import BrowserContext, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.story import PATIENCE, Clock, Person

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
def _static_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The live server finds assets without a collectstatic; WhiteNoise warns of a missing folder."""
    with override_settings(STATIC_ROOT=tmp_path_factory.mktemp("static")):
        yield


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
