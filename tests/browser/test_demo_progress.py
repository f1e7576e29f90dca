"""The bar of a demo that is being loaded, as people see it: on every page, moving, and gone in the end."""

from collections.abc import Callable

import pytest
from django.conf import LazySettings
from playwright.sync_api import expect

from alliance import demo_progress
from alliance.demo_progress import DEMO
from alliance.health import note_heartbeat
from alliance.models import User
from tests.browser.story import OVERFLOW, PHONE, Person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DESKTOP = {"width": 1280, "height": 800}


@pytest.fixture
def _loading(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEMO_LOADING = True
    monkeypatch.setattr(demo_progress._Known, "is_whole", False)


@pytest.mark.usefixtures("_loading")
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_bar_moves_by_itself_and_goes_away(
    newcomer: Callable[..., Person], ops_user: User, viewport: dict[str, int]
) -> None:
    person = newcomer(viewport=viewport)
    page = person.page
    bar = page.get_by_role("progressbar", name="The demo is being loaded")
    # Public pages: before the demo's users are there, and after.
    page.goto("/accounts/login/")
    expect(bar).to_be_visible()
    expect(page.get_by_text("Its log-ins work in a few seconds")).to_be_visible()
    note_heartbeat(DEMO, whole=False, people=True, day=15, days=60)
    expect(page.get_by_text("day 15 of 60")).to_be_visible()
    assert bar.evaluate("bar => bar.position") == 0.25
    assert page.evaluate(OVERFLOW) == []
    # The admin, which has its own scripts.
    person.log_in(ops_user.email)
    page.goto("/admin/")
    expect(page.get_by_text("day 15 of 60")).to_be_visible()
    note_heartbeat(DEMO, whole=False, people=True, day=30, days=60)
    expect(page.get_by_text("day 30 of 60")).to_be_visible()
    note_heartbeat(DEMO, whole=True)
    expect(bar).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="The demo is loaded.")).to_have_count(1)
    page.reload()
    expect(page.locator("[id^=demo]")).to_have_count(0)
    assert person.complaints == []
