"""Pages that stay up to date by themselves, and the switch of colours."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from alliance.models import User
from tests.browser.story import Person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(newcomer: Callable[..., Person], merchant_user: User) -> Page:
    person = newcomer()
    person.log_in(merchant_user.email)
    person.page.clock.install()
    return person.page


def test_a_page_says_how_old_it_is_and_keeps_trying_in_an_outage(page: Page) -> None:
    page.goto("/watch/")
    age = page.locator("[data-live]")
    expect(age).to_have_text("Updated just now.")
    page.context.set_offline(True)
    page.clock.fast_forward(200_000)
    expect(age).to_have_text("Updated 3 minutes ago. The server cannot be reached; we keep trying.")
    # Said at its place, not in a message a minute.
    expect(page.locator(".ca-toast")).to_have_count(0)
    page.context.set_offline(False)
    page.clock.fast_forward(480_000)
    expect(age).to_have_text("Updated just now.")


def test_colours_change_under_what_was_typed(page: Page) -> None:
    page.goto("/parcels/")
    number = page.get_by_label("Tracking number or reference")
    number.fill("CA1")
    with page.expect_response("**/theme/"):
        page.get_by_role("button", name="Dark").click()
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    expect(number).to_have_value("CA1")
    page.reload()
    assert page.evaluate(background) == dark
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
