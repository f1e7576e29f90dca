"""Filters typed into the bar of a list: what is wrong with them is told without leaving the page."""

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
    return person.page


def test_a_wrong_city_is_told_beside_its_field_and_taken_back(page: Page) -> None:
    page.goto("/parcels/")
    page.get_by_text("More filters").click()
    city, wrong = page.get_by_label("From", exact=True), page.locator("#id_origin_error")
    expect(wrong).to_be_hidden()
    city.fill("Atlantis")
    city.press("Enter")
    expect(wrong).to_contain_text("Unknown city “Atlantis”")
    expect(page.locator("#parcel-list")).to_contain_text("Please check what you entered")
    expect(page.locator("#announcer")).to_contain_text("Unknown city “Atlantis”")
    # Typing on is not disturbed, and no message says that the server failed.
    expect(city).to_be_focused()
    expect(page.locator(".ca-toast")).to_have_count(0)

    city.fill("Hangzhou")
    city.press("Enter")
    expect(wrong).to_be_hidden()
    expect(page.locator("#parcel-list")).to_contain_text("Nothing matches these filters")
    expect(page.locator("#announcer")).to_contain_text("Nothing matches these filters")

    page.go_back()
    expect(wrong).to_contain_text("Unknown city “Atlantis”")


def test_a_wrong_city_of_closures_is_told_in_their_card(page: Page) -> None:
    page.goto("/promises/")
    page.get_by_label("City").fill("Atlantis")
    page.get_by_label("City").press("Enter")
    expect(page.locator("#closures")).to_contain_text("Unknown city “Atlantis”")
    expect(page.locator(".ca-toast")).to_have_count(0)
