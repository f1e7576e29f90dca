"""A parcel whose scan never comes: overdue, a breach, lower rates; and what a late proof mends."""

from datetime import datetime

import pytest
from playwright.sync_api import expect

from tests.browser.story import Alliance, Clock, expect_rate, run_the_tasks

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_scan_that_never_comes_and_one_that_comes_late(alliance: Alliance, clock: Clock) -> None:
    run_the_tasks()
    see_on_every_dashboard(alliance, rate="100.00", n=1, overdue=0)

    clock.put(1, "20:01")
    run_the_tasks()
    see_the_breach(alliance)
    see_on_every_dashboard(alliance, rate="50.00", n=2, overdue=1)

    clock.put(1, "22:15")
    send_the_proof(alliance, clock.at(1, "18:20"))
    run_the_tasks()
    see_the_breach_withdrawn(alliance)
    see_on_every_dashboard(alliance, rate="100.00", n=2, overdue=0)

    people = (alliance.courier, alliance.merchant, alliance.ops)
    assert [person.complaints for person in people] == [[], [], []]


def see_on_every_dashboard(alliance: Alliance, *, rate: str, n: int, overdue: int) -> None:
    for person in (alliance.courier, alliance.merchant, alliance.ops):
        person.page.goto("/")
        for days in (7, 30):
            expect_rate(person, "Delivered", days, rate=rate, n=n)
            # Both parcels were picked up in time, whatever became of them.
            expect_rate(person, "Picked up", days, rate="100.00", n=2)
        value = person.card("verdue now").locator(".ca-stat-value, .ops-value")
        expect(value).to_have_text(str(overdue))


def see_the_breach(alliance: Alliance) -> None:
    """Overdue on the merchant's page of the parcel and in its list, a breach to the courier, late to all."""
    merchant, courier = alliance.merchant.page, alliance.courier.page
    merchant.goto("/parcels/?late=overdue")
    merchant.get_by_role("link", name=alliance.silent).click()
    promise = merchant.locator("#promise tr").filter(has_text="Delivery")
    expect(promise).to_contain_text("Overdue")
    expect(promise).to_contain_text("Breach opened")
    expect(merchant.locator("#promise tr").filter(has_text="Pickup")).to_contain_text("On time")

    courier.goto("/dashboard/")
    alliance.courier.card("Deliveries overdue now").get_by_role("link").click()
    rows = courier.locator("#breaches tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(alliance.silent)
    expect(rows).to_contain_text("not completed")

    merchant.get_by_role("link", name="Tracking page").click()
    alliance.merchant.sees("No delivery date is known at the moment")


def send_the_proof(alliance: Alliance, delivered_at: datetime) -> None:
    """The courier uploads the scan of the delivery, which was in time, after all."""
    page = alliance.courier.page
    page.get_by_role("link", name="Upload scans").first.click()
    header, at = "tracking_number,code,occurred_at", delivered_at.isoformat()
    wrong, proof = f"{alliance.delivered},vanished,{at}", f"{alliance.silent},delivered,{at}"
    content = "\r\n".join([header, wrong, proof]).encode()
    page.locator("#id_file").set_input_files({"name": "s.csv", "mimeType": "text/csv", "buffer": content})
    alliance.courier.press("Upload")
    page.wait_for_url("**/scans/files/*/")
    expect(alliance.courier.card("Accepted").locator(".ca-stat-value")).to_have_text("1")
    expect(page.locator("#rows tr").filter(has_text="vanished")).to_contain_text("Rejected")


def see_the_breach_withdrawn(alliance: Alliance) -> None:
    merchant, courier = alliance.merchant.page, alliance.courier.page
    merchant.goto(f"/parcels/{alliance.silent}/")
    promise = merchant.locator("#promise tr").filter(has_text="Delivery")
    expect(promise).to_contain_text("On time")
    expect(promise).to_contain_text("Breach withdrawn")

    courier.goto("/breaches/")
    expect(courier.locator("#breaches tbody tr")).to_contain_text("Withdrawn")
    courier.get_by_label("State").select_option("missing")
    alliance.courier.sees("No breach matches")
