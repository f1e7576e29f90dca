"""Components and account pages in a real browser, under the real Content-Security-Policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from alliance.models import Organisation, User
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
GALLERY = Path(__file__).parent.parent / "alliance" / "templates"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complained about: refused styles and scripts, failed requests, exceptions."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


@pytest.fixture
def member(live_server: LiveServer, page: Page, settings: LazySettings) -> Iterator[Page]:
    """A member with a long name, logged in through the page; the gallery is there."""
    settings.ROOT_URLCONF = "tests.alliance.helpers.gallery"
    settings.TEMPLATES[0]["DIRS"] = [*settings.TEMPLATES[0]["DIRS"], GALLERY]
    settings.TEMPLATES = [*settings.TEMPLATES]
    organisation: Organisation = factories.merchant_organisation("杭州西湖区远通国际供应链管理有限责任公司")
    user: User = factories.member_user("merchant@alliance.example", organisation)
    page.goto(f"{live_server.url}/accounts/login/?next=/gallery/")
    page.get_by_label("E-mail").fill(user.email)
    page.locator("#id_password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/gallery/")
    return page


def _too_wide(page: Page) -> list[str]:
    """Return what sticks out of the page on the right."""
    return page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
           [...document.querySelectorAll('body *')]
             .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)
             .map(e => e.className)"""
    )


def test_charts_are_drawn_and_nothing_is_refused(member: Page, complaints: list[str]) -> None:
    member.reload()
    expect(member.locator("[data-chart] canvas")).to_have_count(2)
    member.locator("#trend-data + [data-chart]").hover(position={"x": 500, "y": 100})
    tooltip = member.locator(".ca-tooltip").first
    expect(tooltip).to_contain_text("Accountable")
    assert tooltip.evaluate("e => getComputedStyle(e).display") == "grid"
    assert complaints == []


def test_chart_table_opens_by_keyboard(member: Page) -> None:
    summary = member.locator("#trend-data ~ details summary")
    summary.focus()
    member.keyboard.press("Enter")
    expect(member.locator("#trend-data ~ details td").first).to_be_visible()


def test_gallery_fits_a_phone_with_long_chinese_names(member: Page) -> None:
    member.set_viewport_size(PHONE)
    for language in ("en", "zh-hans"):
        member.context.add_cookies([{"name": "django_language", "value": language, "url": member.url}])
        member.reload()
        assert _too_wide(member) == []


def test_menu_opens_on_a_phone(member: Page) -> None:
    member.set_viewport_size(PHONE)
    link = member.get_by_role("link", name="API keys")
    expect(link).to_be_hidden()
    member.get_by_role("button", name="Menu").click()
    expect(link).to_be_visible()


def test_menu_stays_while_the_page_scrolls(member: Page) -> None:
    member.evaluate("window.scrollTo(0, 1500)")
    expect(member.get_by_role("link", name="Dashboard")).to_be_in_viewport()
    # Where it is longer than the window, it scrolls by itself.
    member.get_by_role("link", name="API keys").scroll_into_view_if_needed()
    expect(member.get_by_role("link", name="API keys")).to_be_in_viewport()
    assert member.evaluate("window.scrollY") > 0


def test_filters_refresh_the_list_and_the_address(member: Page) -> None:
    search = member.get_by_role("main").get_by_label("Search")
    member.evaluate("document.querySelector('#list').dataset.old = 'yes'")
    search.fill("CA01")
    member.wait_for_url("**/gallery/?q=CA01*")
    expect(member.locator("#list")).not_to_have_attribute("data-old", "yes")
    expect(search).to_have_value("CA01")


def test_what_was_filtered_is_said_aloud_and_the_focus_stays(member: Page) -> None:
    announced = member.locator("#announcer")
    expect(announced).to_be_empty()
    member.get_by_label("Late only").focus()
    member.keyboard.press("Space")
    expect(announced).to_contain_text("The list has been updated. Rows: 3")
    expect(member.get_by_label("Late only")).to_be_focused()


def test_turning_a_page_by_keyboard_leads_to_the_new_list(member: Page) -> None:
    member.get_by_role("link", name="Next").focus()
    member.keyboard.press("Enter")
    member.wait_for_url("**/gallery/?cursor=b")
    expect(member.locator("#list")).to_be_focused()
    expect(member.locator("#announcer")).to_contain_text("Rows: 3")


def test_whoever_was_logged_out_meanwhile_is_led_to_the_log_in(member: Page) -> None:
    member.goto(member.url.replace("/gallery/", "/parcels/"))
    member.context.clear_cookies()
    member.get_by_label("Tracking number or reference").fill("SO-1")
    member.wait_for_url("**/accounts/login/?next=/parcels/**SO-1**")


def test_lost_connection_is_said(member: Page) -> None:
    member.route("**/gallery/?*", lambda route: route.abort())
    member.get_by_label("Late only").check()
    expect(member.locator(".ca-toast")).to_contain_text("could not be reached")


def test_help_shows_by_keyboard(member: Page) -> None:
    member.locator(".ca-help").first.focus()
    expect(member.get_by_role("tooltip")).to_contain_text("Promised for today")


def test_progress_polls_until_the_job_is_done(member: Page) -> None:
    expect(member.locator("#job")).to_contain_text("100 / 100", timeout=10_000)
    expect(member.locator("#job")).not_to_have_attribute("hx-get", "/gallery/job/")


def test_dialog_is_asked_and_left_by_keyboard(member: Page) -> None:
    member.get_by_role("button", name="Cancel parcel").first.click()
    dialog = member.get_by_role("dialog")
    expect(dialog).to_be_visible()
    member.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_errors_take_the_focus_and_lead_to_their_fields(member: Page) -> None:
    member.get_by_role("button", name="Save").click()
    expect(member.locator(".ca-form-errors")).to_be_focused()
    member.locator(".ca-form-errors").get_by_role("link", name="Company name").click()
    expect(member.get_by_label("Company name")).to_be_focused()


def test_errors_take_the_focus_though_the_address_has_a_fragment(member: Page) -> None:
    member.evaluate("document.querySelector('form[enctype]').action += '#list'")
    member.get_by_role("button", name="Save").click()
    member.wait_for_url("**/gallery/#list")
    expect(member.locator(".ca-form-errors")).to_be_focused()


def test_dropzone_names_the_file_and_refuses_a_large_one(member: Page) -> None:
    field = member.locator("input[type=file]")
    field.set_input_files({"name": "permit.pdf", "mimeType": "application/pdf", "buffer": b"%PDF" * 500})
    expect(member.locator("[data-chosen]")).to_have_text("permit.pdf (2.0 kB)")
    field.set_input_files({"name": "big.pdf", "mimeType": "application/pdf", "buffer": b"0" * (10485760 + 1)})
    expect(member.locator("[data-chosen]")).to_contain_text("larger than allowed")
    assert field.evaluate("e => e.validity.customError")


def test_first_tab_skips_to_the_content(live_server: LiveServer, page: Page, complaints: list[str]) -> None:
    page.goto(live_server.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    assert complaints == []


def test_admin_skips_its_menu_and_leads_to_the_first_mistake(
    live_server: LiveServer, page: Page, complaints: list[str]
) -> None:
    user = factories.user("ops@alliance.example", is_staff=True, is_superuser=True)
    page.goto(f"{live_server.url}/admin/login/?next=/admin/slas/disruption/add/")
    page.locator("#id_login").fill(user.email)
    page.locator("#id_password").fill(factories.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#id_name")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#id_name")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    expect(page.locator("#id_name")).to_be_focused()
    assert [text for text in complaints if "422" not in text] == []


def test_password_errors_show_beside_the_fields(live_server: LiveServer, page: Page) -> None:
    page.goto(f"{live_server.url}/accounts/signup/?kind=courier")
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#id_password1_error")).to_be_visible()
    page.locator("#id_password1").fill("secret")
    page.get_by_role("button", name="Show password").first.click()
    expect(page.locator("#id_password1")).to_have_attribute("type", "text")


def test_pages_work_without_scripts(live_server: LiveServer, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=PHONE)
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/signup/?kind=merchant")
    page.locator("button[lang=zh-Hans]").click()
    assert page.get_attribute("html", "lang") == "zh-Hans"
    assert page.is_checked("input[value=merchant]")
    context.close()


def test_form_whose_answer_opens_in_another_tab_can_be_sent_again(member: Page) -> None:
    """Labels are printed again and again from one page."""
    member.evaluate(
        """() => {
            const form = document.createElement("form");
            [form.method, form.target, form.id] = ["post", "_blank", "elsewhere"];
            form.innerHTML = '<button>Print</button>';
            document.querySelector("main").append(form);
        }"""
    )
    button = member.locator("#elsewhere button")
    button.evaluate("e => e.click()")
    expect(button).to_have_class("btn-loading")
    expect(button).not_to_have_class("btn-loading")
    button.evaluate("e => e.click()")
    expect(button).to_have_class("btn-loading")
