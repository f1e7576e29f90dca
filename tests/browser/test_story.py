"""The whole story, told in browsers: from a courier's sign-up to the on-time rate its parcel earns it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage
from playwright.sync_api import Playwright, expect

from alliance.models import User
from couriers.tasks import send_waiting_mails
from tests import factories
from tests.browser.story import Clock, Person, expect_rate, run_the_tasks
from tests.couriers.helpers import files

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COURIER, COURIER_EMAIL = "杭州飞燕速递有限公司", "chen@feiyan.example"
MERCHANT, MERCHANT_EMAIL = "Lotus Tea", "mei@lotus.example"


def test_from_enrolment_to_on_time_rate(
    newcomer: Callable[..., Person],
    clock: Clock,
    playwright: Playwright,
    mailoutbox: list[EmailMessage],
    ops_user: User,
) -> None:
    clock.put(0, "09:30")
    courier, ops, merchant, recipient = (newcomer() for _person in range(4))

    sign_up(courier, mailoutbox, "courier", COURIER_EMAIL, COURIER)
    fill_in_the_company(courier)
    fill_in_the_contact(courier)
    choose_cities(courier)
    upload_documents(courier)
    submit(courier)

    ops.log_in(ops_user.email)
    look_at_a_document(ops)
    approve(ops)
    clock.put(0, "11:00")
    assert send_waiting_mails() == 2
    assert [mail.to for mail in mailoutbox[-2:]] == [[COURIER_EMAIL]] * 2
    assert COURIER in mailoutbox[-1].body

    sell_the_lane(courier)
    sign_up(merchant, mailoutbox, "merchant", MERCHANT_EMAIL, MERCHANT)
    number = book(merchant, clock)

    send = sender(playwright, courier)
    clock.put(0, "19:30")
    send_the_first_scans(send, clock, number)
    track(recipient, number)
    clock.put(1, "15:05")
    send_the_last_scans(send, clock, number)
    recipient.page.reload()
    expect(recipient.page.get_by_role("heading", level=1)).to_have_text("Delivered")
    recipient.sees("The promise was kept.", "Out for delivery")
    expect(recipient.page.locator("body")).not_to_contain_text("王小明")

    clock.put(1, "21:00")
    run_the_tasks()
    for person in (courier, merchant):
        see_the_rate(person)
        assert person.complaints == []
    assert recipient.complaints == ops.complaints == []


def sign_up(person: Person, mails: list[EmailMessage], kind: str, email: str, company: str) -> None:
    """Make an account by e-mail, then the organisation."""
    page = person.page
    page.goto(f"/accounts/signup/?kind={kind}")
    person.fill(email=email, password1="short", password2="short")
    person.press("Create account")
    person.is_told("password1", "too short")
    person.fill(password1=factories.PASSWORD, password2=factories.PASSWORD)
    person.press("Create account")
    person.sees(email)
    [mail] = [mail for mail in mails if mail.to == [email]]
    # Links lead to PUBLIC_URL, which is not where the test's server listens.
    page.goto(re.search(r"http://[^/\s]+(/\S+)", mail.body)[1])
    person.press("Confirm")
    page.wait_for_url("**/welcome/**")
    person.press("Continue")
    person.is_told("name", "required")
    assert page.locator(f"input[value={kind}]").is_checked()
    person.fill(name=company)
    person.press("Continue")
    page.wait_for_url("**/dashboard/" if kind == "merchant" else "**/application/")


def fill_in_the_company(courier: Person) -> None:
    courier.press("Start the application")
    courier.page.wait_for_url("**/application/company/")
    courier.fill(
        legal_name=COURIER,
        credit_code="91330100799655058C",
        permit_number="浙邮20240123A",
        founded_on="2012-05-08",
        fleet_size="120",
        daily_capacity="25000",
    )
    courier.press("Save and continue")
    courier.is_told("credit_code", "The check character does not match")
    courier.fill(credit_code="91330100799655058B")
    courier.press("Save and continue")


def fill_in_the_contact(courier: Person) -> None:
    courier.page.wait_for_url("**/application/contact/")
    courier.fill(contact_name="陈晓燕", contact_phone="call me", contact_email=COURIER_EMAIL)
    courier.press("Save and continue")
    courier.is_told("contact_phone", "Enter a phone number")
    courier.fill(contact_phone="0571-8502 2088")
    # Stopping here and coming back loses nothing.
    courier.press("Save for later")
    courier.sees("Saved. You can continue here at any time.")
    courier.page.goto("/")


def choose_cities(courier: Person) -> None:
    page = courier.page
    page.wait_for_url("**/application/cities/")
    search = page.get_by_label("City or province")
    search.fill("Atlantis")
    courier.sees("No city matches “Atlantis”")
    for city in ("Hangzhou", "Chengdu"):
        search.fill(city)
        page.locator("#city-picker").get_by_role("button", name=re.compile(rf"^{city}")).click()
        expect(page.get_by_role("button", name=f"Remove {city}")).to_be_visible()
    courier.sees("You serve 2 cities")
    page.get_by_role("link", name="Continue").click()


def upload_documents(courier: Person) -> None:
    page = courier.page
    page.wait_for_url("**/application/documents/")
    upload(courier, "business_licence", "licence.pdf", files.archive())
    courier.is_told("file", "This is a ZIP archive")
    upload(courier, "business_licence", "licence.pdf", files.pdf(mark="licence"))
    courier.sees("licence.pdf was uploaded.")
    upload(courier, "express_permit", "permit.png", files.image())
    courier.sees("permit.png was uploaded.")
    page.get_by_role("link", name="Continue").click()


def upload(courier: Person, kind: str, name: str, content: bytes) -> None:
    courier.page.locator("#id_kind").select_option(kind)
    given = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    courier.page.locator("#id_file").set_input_files(given)
    courier.press("Upload")


def submit(courier: Person) -> None:
    courier.page.wait_for_url("**/application/review/")
    courier.press("Submit the application")
    courier.is_told("confirmed", "Please confirm this")
    courier.page.locator("#id_confirmed").check()
    courier.press("Submit the application")
    courier.sees("Your application is being reviewed", "Waiting for review")


def look_at_a_document(ops: Person) -> None:
    page = ops.page
    page.wait_for_url("**/admin/")
    expect(ops.card("Applications waiting").locator(".ops-value")).to_have_text("1")
    ops.card("Applications waiting").get_by_role("link").click()
    page.get_by_role("link", name=COURIER).click()
    with ops.context.expect_page() as opened:
        page.get_by_role("link", name="permit.png").click()
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("document.images[0].naturalWidth") == 60
    opened.value.close()


def approve(ops: Person) -> None:
    page = ops.page
    page.get_by_role("link", name="Request more information").click()
    ops.press("Request more information")
    ops.sees("Enter a reason. The applicant reads it.")
    page.get_by_role("link", name="Back", exact=True).click()
    page.get_by_role("link", name="Approve").click()
    ops.press("Approve")
    ops.sees(f"{COURIER}: Approved. The applicant gets an e-mail.")


def sell_the_lane(courier: Person) -> None:
    """Log in anew, as an active courier, and put Hangzhou to Chengdu on sale."""
    page = courier.page
    courier.context.clear_cookies()
    courier.log_in(COURIER_EMAIL)
    page.wait_for_url("**/dashboard/")
    page.get_by_role("link", name="Add an offer").click()
    page.locator("#id_tier").select_option(label="Next day")
    courier.fill(origin="Hangzhou", destination="Chengdo", price="cheap", daily_capacity="50")
    courier.press("Save offer")
    courier.is_told("price", "12.50")
    courier.is_told("destination", "Unknown city “Chengdo”. Did you mean: Chengdu")
    courier.fill(destination="成都", price="12.50")
    courier.press("Save offer")
    courier.sees("The offer is on sale.", "Hangzhou → Chengdu", "CNY 12.50")


def book(merchant: Person, clock: Clock) -> str:
    """Quote and book next-day, and return the tracking number."""
    page = merchant.page
    page.get_by_role("link", name="Quote and book").last.click()
    merchant.fill(origin="Hangzhou", destination="Chengdu", weight="heavy")
    page.locator("#id_tier").select_option("next_day")
    merchant.press("Show offers")
    merchant.is_told("weight", "kilograms such as 1.2")
    merchant.fill(weight="0.8", destination="Nowhereville")
    merchant.press("Show offers")
    merchant.is_told("destination", "Unknown city “Nowhereville”")
    merchant.fill(destination="Chengdu")
    merchant.press("Show offers")
    merchant.sees(COURIER, "20:00", "12.50")
    page.get_by_role("link", name=f"Choose {COURIER}, Next day").click()
    merchant.fill(name="王小明", phone="none", address="人民南路四段12号3单元1203室")
    merchant.press("Book for CNY 12.50")
    merchant.is_told("phone", "Enter a phone number")
    merchant.fill(phone="138 1234 5678")
    merchant.press("Book for CNY 12.50")
    page.wait_for_url("**/booked/")
    return page.url.split("/")[-3]


def sender(playwright: Playwright, courier: Person) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Make an API key on the portal, and return a program that sends scans with it."""
    page = courier.page
    page.get_by_role("link", name="API keys").click()
    page.get_by_role("link", name="Create a key").first.click()
    courier.fill(name="Depot Hangzhou")
    courier.press("Create key")
    expect(page.locator(".ca-form-errors")).to_contain_text("Permissions")
    page.locator("input[value='scans:write']").check()
    courier.press("Create key")
    key = page.get_by_label("API key", exact=True).input_value()
    program = playwright.request.new_context(base_url=page.url.split("/api-keys")[0])
    assert program.post("/api/v1/scans", data=[]).status == 401

    def send(scans: list[dict[str, Any]]) -> dict[str, Any]:
        answer = program.post("/api/v1/scans", data=scans, headers={"Authorization": f"Bearer {key}"})
        assert answer.status == 200, answer.text()
        return answer.json()

    return send


def send_the_first_scans(send: Callable[..., dict[str, Any]], clock: Clock, number: str) -> None:
    """Pick up and depart, with one scan twice and one of a mistyped number."""
    pickup = scan(number, "picked_up", clock.at(0, "16:10"), event_id="1")
    departure = scan(number, "departed", clock.at(0, "18:45"), event_id="2")
    wrong = scan(number[:-1] + ("0" if number[-1] != "0" else "1"), "departed", clock.at(0, "18:45"))
    answer = send([pickup, wrong, departure, pickup])
    assert (answer["accepted"], answer["duplicate"], answer["rejected"]) == (2, 1, 1)
    [rejection] = answer["rejections"]
    assert rejection["index"] == 1
    assert rejection["pointer"] == "/1/tracking_number"
    assert rejection["code"] == "bad_tracking_number"
    again = send([pickup, departure])
    assert (again["accepted"], again["duplicate"], again["rejected"]) == (0, 2, 0)


def send_the_last_scans(send: Callable[..., dict[str, Any]], clock: Clock, number: str) -> None:
    """Arrive, go out and deliver, told in the wrong order."""
    steps = [("delivered", "14:40"), ("arrived", "06:20"), ("out_for_delivery", "09:05")]
    answer = send([scan(number, code, clock.at(1, hour)) for code, hour in steps])
    assert (answer["accepted"], answer["duplicate"], answer["rejected"]) == (3, 0, 0)


def scan(number: str, code: str, occurred_at: Any, **more: str) -> dict[str, Any]:
    return {"tracking_number": number, "code": code, "occurred_at": occurred_at.isoformat(), **more}


def track(recipient: Person, number: str) -> None:
    """Follow the parcel from the front page: first with a character mistyped, then in small letters."""
    page = recipient.page
    page.goto("/")
    page.get_by_label("Tracking number").fill(f"{number[:4]}{'0' if number[4] != '0' else '1'}{number[5:]}")
    recipient.press("Track")
    expect(page.locator("#number-problem")).to_contain_text("mistyped")
    page.get_by_label("Tracking number").fill(number.lower())
    recipient.press("Track")
    page.wait_for_url(f"**/track/{number}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("In transit")
    # Fetched when it is opened, by a click or by a key.
    page.locator("#another-day-toggle").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#another-day").get_by_role("radio")).to_have_count(7)
    expect(page.get_by_label("Last four digits")).to_be_visible()


def see_the_rate(person: Person) -> None:
    """Find the parcel in both rates of both periods, on time."""
    person.page.goto("/dashboard/")
    for what in ("Delivered", "Picked up"):
        for days in (7, 30):
            expect_rate(person, what, days, rate="100.00", n=1)
    expect(person.page.locator("[data-chart] canvas")).to_be_visible()
