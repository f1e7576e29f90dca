"""The page of on-time rates: every picture drawn, in both languages, with its table, on a phone, on paper."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from alliance.models import City, Organisation, User
from alliance.tenancy import Scope, scope
from slas.choices import ExcuseReason, Outcome
from tests.browser.story import Person
from tests.slas.helpers import commitments
from tests.slas.helpers.facts import Fact, write_cells

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PICTURES = ("trend", "lanes", "calendar", "lateness", "couriers", "groups")
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def record(courier_organisation: Organisation, merchant_organisation: Organisation) -> None:
    """Ten days on three lanes; one lane with few parcels, some late by hours, one by days."""
    lane = commitments.lane(merchant_organisation, courier_organisation)
    cities = [City.objects.get(code=code) for code in ("CN-CTU", "CN-SHA", "CN-BJS")]
    today = timezone.localdate()
    facts = []
    for back in range(1, 11):
        for place, there in enumerate(cities):
            ends = (lane.tier.pk, lane.origin, there, today - timedelta(days=back))
            parties = (merchant_organisation.pk, courier_organisation.pk)
            count = (40, 8, 1)[place]
            facts += [Fact(*parties, *ends, attempted=True, first_attempt=True) for _parcel in range(count)]
            late = timedelta(hours=3 * back, minutes=5)
            facts.append(Fact(*parties, *ends, Outcome.LATE, late=late, attempted=True))
            facts.append(Fact(*parties, *ends, Outcome.OVERDUE, reason=ExcuseReason.WEATHER))
    with scope(Scope.everything()):
        write_cells(facts)


@pytest.fixture
def courier(newcomer: Callable[..., Person], record: None, courier_user: User) -> Person:
    person = newcomer()
    person.log_in(courier_user.email)
    return person


def speak(page: Page, language: str) -> None:
    page.context.add_cookies([{"name": "django_language", "value": language, "url": page.url}])


def painted(page: Page) -> int:
    """How many points of the picture are not white: a canvas may be there and empty."""
    return page.locator("#picture canvas").first.evaluate(
        """canvas => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let found = 0;
            for (let at = 0; at < data.length; at += 4) {
                const [red, green, blue, alpha] = data.subarray(at, at + 4);
                if (alpha > 0 && Math.min(red, green, blue) < 250) found += 1;
            }
            return found;
        }"""
    )


def too_wide(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_picture_is_drawn_with_its_table(courier: Person, language: str) -> None:
    page = courier.page
    speak(page, language)
    for viewport in ({"width": 1280, "height": 900}, PHONE):
        page.set_viewport_size(viewport)
        for name in PICTURES:
            page.goto(f"/rates/?group_by=lane&picture={name}")
            expect(page.locator("#picture canvas").first).to_be_visible()
            page.wait_for_timeout(500)
            assert painted(page) > 500, name
            assert not too_wide(page), (name, viewport)
            rows = page.locator("#picture .ca-chart-table tbody tr")
            expect(rows.first).to_be_hidden()
            page.locator("#picture summary").press("Enter")
            expect(rows.first).to_be_visible()
            assert "%" in page.locator("#picture .ca-chart-table").inner_text()
    assert courier.complaints == []


def test_a_filter_redraws_the_picture_and_the_address_can_be_shared(courier: Person) -> None:
    page = courier.page
    page.goto("/rates/?group_by=lane&picture=lanes")
    page.locator("summary", has_text="Customise").click()
    page.get_by_label("To city").select_option(label="Shanghai")
    expect(page.locator(".ca-figure-table tbody tr")).to_have_count(1)
    expect(page.locator("#picture canvas").first).to_be_visible()
    assert "destination=CN-SHA" in page.url
    page.reload()
    expect(page.get_by_label("To city")).to_have_value("CN-SHA")
    page.get_by_role("link", name="How late", exact=True).last.click()
    expect(page.locator("#picture [aria-current]")).to_have_text("How late")
    expect(page.locator(".ca-figure-table tbody tr")).to_have_count(1)
    assert courier.complaints == []


def test_what_is_shown_is_what_is_downloaded(courier: Person) -> None:
    page = courier.page
    page.goto("/rates/?group_by=weekday&group_by=lane&figures=lateness")
    shown = page.locator(".ca-figure-table tbody tr").count()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    text = download.value.path().read_text("utf-8-sig")
    head, *rows = text.splitlines()
    assert head.startswith("weekday,weekday_name,lane,lane_name,n,late_one_day")
    assert len(rows) == shown


def test_paper_has_the_picture_and_its_table(courier: Person) -> None:
    page = courier.page
    for name in PICTURES:
        page.goto(f"/rates/?group_by=lane&picture={name}")
        page.wait_for_timeout(400)
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#picture canvas").first.evaluate("canvas => canvas.clientWidth") == 680
        assert painted(page) > 500, name
        expect(page.locator("#picture .ca-chart-table tbody tr").first).to_be_visible()
        expect(page.locator(".ca-filters")).to_be_hidden()
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
        expect(page.locator("#picture .ca-chart-table tbody tr").first).to_be_hidden()
    assert courier.complaints == []
