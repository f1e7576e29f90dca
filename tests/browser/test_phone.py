"""The main pages on a phone, in both languages: they fit, say what they are, and nothing is refused."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from alliance.choices import OrganisationStatus
from tests import factories
from tests.browser.story import OVERFLOW, PHONE, Alliance, Clock, Person, run_the_tasks

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHINESE = re.compile("[\u4e00-\u9fff]")
NOWHERE = "/nowhere/"
ANYBODY = (
    "/", "/accounts/signup/?kind=courier", "/accounts/login/", "/accounts/password/reset/", "/track/",
    "/track/{silent}/", "/track/{delivered}/", "/track/{silent}/day/", NOWHERE, "/api/docs/",
)  # fmt: skip
COURIER = (
    "/dashboard/", "/parcels/", "/labels/", "/parcels/{silent}/label/", "/parcels/{silent}/",
    "/offers/", "/offers/new/", "/offers/upload/", "/rates/", "/breaches/", "/scans/upload/",
    "/facilities/", "/members/", "/api-keys/",
    "/watch/", "/excuses/", "/exports/", "/scorecards/", "/scorecards/rules/", "/statements/",
)  # fmt: skip
MERCHANT = (
    "/dashboard/", "/quote/", "/quote/?origin=Hangzhou&destination=Chengdu&weight=0.8&ready_at=&tier=",
    "/parcels/", "/parcels/?late=overdue", "/parcels/{delivered}/", "/addresses/", "/addresses/add/",
    "/rates/?group_by=courier", "/breaches/", "/watch/", "/excuses/", "/exports/", "/statements/",
    "/scorecards/rules/",
)  # fmt: skip
APPLICANT = (
    "/application/company/", "/application/contact/", "/application/cities/?q=Zhejiang",
    "/application/documents/", "/application/review/",
)  # fmt: skip
OPS = (
    "/admin/", "/admin/couriers/application/", "/admin/parcels/parcel/", "/admin/slas/breachlisting/",
)  # fmt: skip

# On a phone a cell puts its label to the left and all else to the right: two things would be torn apart.
TORN = """() => [...document.querySelectorAll('.ca-table > tbody > tr > [data-label]')]
    .filter(cell => getComputedStyle(cell).display === 'flex')
    .filter(cell => [...cell.childNodes].filter(node => node.nodeType === Node.ELEMENT_NODE
        ? getComputedStyle(node).display !== 'none' : node.textContent.trim()).length > 1)
    .slice(0, 5).map(cell => `${cell.dataset.label}: ${cell.innerText}`)"""
# A table's foot is as wide as the rows above it.
SHRUNK = """() => [...document.querySelectorAll('.ca-table > tfoot > tr')]
    .filter(row => row.offsetWidth < row.closest('table').offsetWidth - 2).map(row => row.innerText)"""

# What axe-core finds by the rules of WCAG 2.2, A and AA.
INACCESSIBLE = """async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
    const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ['violations'] });
    return violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html }) => `${id}: ${html}`));
}"""
# Drawn by libraries: django-unfold's and Swagger's pages.
NOT_OURS = ("/admin/", "/api/docs/")


def test_main_pages_fit_a_phone(alliance: Alliance, clock: Clock, newcomer: Callable[..., Person]) -> None:
    clock.put(1, "20:30")
    run_the_tasks()
    walks = {
        alliance.courier: COURIER,
        alliance.merchant: MERCHANT,
        alliance.ops: OPS,
        newcomer(): ANYBODY,
        applicant(newcomer()): APPLICANT,
    }
    faults: list[str] = []
    for person, paths in walks.items():
        person.page.set_viewport_size(PHONE)
        pages = [path.format(silent=alliance.silent, delivered=alliance.delivered) for path in paths]
        for language in ("en", "zh-hans"):
            speak(person, language)
            for path in pages:
                faults += [f"{language} {path}: {fault}" for fault in look(person, path, language)]
    assert not faults, "\n".join(faults)


def test_language_switch_keeps_the_page(alliance: Alliance) -> None:
    page = alliance.merchant.page
    page.set_viewport_size(PHONE)
    page.goto("/parcels/?search=CA&late=overdue")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert page.url.endswith("/parcels/?search=CA&late=overdue")
    expect(page.get_by_role("heading", level=1)).to_have_text(CHINESE)


def test_what_is_done_with_a_selection_waits_for_one(alliance: Alliance) -> None:
    page = alliance.merchant.page
    page.set_viewport_size(PHONE)
    page.goto("/parcels/")
    label = page.get_by_role("button", name="Labels of selected")
    expect(label).to_be_hidden()
    page.locator(".ca-row-tick").first.check()
    expect(label).to_be_in_viewport()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/parcels/")
    expect(label).to_be_visible()


def applicant(person: Person) -> Person:
    """Let somebody be a courier company's owner, who has just begun to apply."""
    company = factories.courier_organisation("飞燕", OrganisationStatus.APPLICANT)
    person.log_in(factories.member_user("owner@feiyan.example", company).email)
    person.press("Start the application")
    person.page.wait_for_url("**/application/company/")
    return person


def speak(person: Person, language: str) -> None:
    if person.page.url == "about:blank":
        person.page.goto("/")
    origin = re.match(r"https?://[^/]+/", person.page.url)[0]
    person.context.add_cookies([{"name": "django_language", "value": language, "url": origin}])


def look(person: Person, path: str, language: str) -> list[str]:
    """Return what is wrong with a page."""
    page = person.page
    person.complaints.clear()
    answer = page.goto(path)
    found = [] if has_title(page) else ["no visible h1"]
    found += [f"sticks out: {element}" for element in page.evaluate(OVERFLOW)]
    found += [f"is torn apart: {cell}" for cell in page.evaluate(TORN)]
    found += [f"is narrower than its table: {row}" for row in page.evaluate(SHRUNK)]
    if not path.startswith(NOT_OURS):
        page.evaluate(AXE_SCRIPT)
        found += [f"is not accessible: {element}" for element in page.evaluate(INACCESSIBLE)]
    if page.get_attribute("html", "lang").lower() != language:
        found.append("is in another language")
    if language != "en" and not CHINESE.search(page.inner_text("body")):
        found.append("has no Chinese in it")
    if path == NOWHERE:
        # That there is nothing is what it should say, and what the browser mentions.
        return found if answer.status == 404 else [*found, f"answers {answer.status}"]
    if answer.status != 200:
        found.append(f"answers {answer.status}")
    return found + person.complaints


def has_title(page: Page) -> bool:
    try:
        # The API's pages are drawn by a script, after they were loaded.
        page.locator("h1").filter(visible=True).first.wait_for(timeout=10_000)
    except PlaywrightTimeout:
        return False
    return True
