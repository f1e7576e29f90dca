"""A merchant books from a file: told of progress and of what is wrong, corrects it, and doubles nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from alliance.models import City, Organisation, User
from alliance.tenancy import Actor
from parcels.booking_files.services import files as booking_files
from parcels.booking_files.services.files import book_file
from tests.browser.story import OVERFLOW, PHONE, Person
from tests.parcels.helpers.booking_files import row, text_of
from tests.parcels.helpers.bookings import parcels_of
from tests.slas.helpers import offers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DESKTOP = {"width": 1280, "height": 800}
WRONG = {
    "R3": {"weight_g": "light"},
    "R6": {"destination": "Atlantis"},
    "R9": {"recipient_phone": "1.38E+10"},
}
ROWS = [row(reference=f"R{n}") for n in range(12)]


@pytest.fixture
def _five_rows_at_a_time(monkeypatch: pytest.MonkeyPatch, sent: list[Any]) -> None:
    """The test is the worker."""
    monkeypatch.setattr(booking_files, "SLICE", 5)


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def mei(
    request: pytest.FixtureRequest,
    newcomer: Callable[..., Person],
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
    merchant_user: User,
) -> Person:
    offers.offer(courier_organisation, hangzhou, chengdu, daily_capacity=1_000)
    person = newcomer(viewport=request.param)
    person.log_in(merchant_user.email)
    return person


def upload(person: Person, path: Path) -> None:
    person.page.goto("/bookings/upload/")
    fits(person)
    person.page.locator("#id_file").set_input_files(path)
    person.press("Upload and book")


def fits(person: Person) -> None:
    assert person.page.evaluate(OVERFLOW) == []


def see_counts(person: Person, **counts: int) -> None:
    for label, count in counts.items():
        card = person.card(label.replace("_", " ").capitalize())
        expect(card).to_contain_text(str(count))


@pytest.mark.usefixtures("_five_rows_at_a_time")
def test_file_is_booked_corrected_and_not_doubled(
    mei: Person, sent: list[Any], merchant: Actor, tmp_path: Path
) -> None:
    page, orders = mei.page, tmp_path / "订单.csv"
    orders.write_text(text_of(*({**good, **WRONG.get(good["reference"], {})} for good in ROWS)))

    upload(mei, orders)
    page.wait_for_url("**/bookings/files/*/")
    mei.sees("订单.csv", "Waiting in the queue.")
    fits(mei)
    # The page looks again by itself.
    assert not book_file(file_id=sent[-1][1], stretch=timedelta(0))
    mei.sees("rows a second")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "6")
    fits(mei)
    assert book_file(file_id=sent[-1][1])
    mei.sees("Done", "whole grams", "Atlantis", "A spreadsheet has shortened this number.")
    see_counts(mei, booked=9, already_booked=0, rejected=3)
    fits(mei)

    with page.expect_download() as told:
        page.get_by_role("link", name="Download results").click()
    results = told.value.path().read_text("utf-8-sig").splitlines()
    assert told.value.suggested_filename == "订单-results.csv"
    assert [line.split(",")[2] for line in results[1:]].count("rejected") == 3
    assert any(line.startswith("5,R3,rejected,") and ",weight_g,invalid," in line for line in results)

    with page.expect_download() as told:
        page.get_by_role("link", name="Rejected rows, to correct and upload").click()
    correct(told.value.path(), tmp_path / "corrected.csv")
    upload(mei, tmp_path / "corrected.csv")
    page.wait_for_url("**/bookings/files/*/")
    assert book_file(file_id=sent[-1][1])
    mei.sees("Every row was booked")
    see_counts(mei, booked=3, rejected=0)

    # The whole file again, as people do who are not sure: nothing is doubled.
    upload(mei, orders)
    mei.sees("The same file was uploaded on")
    fits(mei)
    page.get_by_label("Book this file again").check()
    page.locator("#id_file").set_input_files(orders)
    mei.press("Upload and book")
    page.wait_for_url("**/bookings/files/*/")
    assert book_file(file_id=sent[-1][1])
    mei.sees("Download results")
    # A row whose reference is booked is not looked at further: its wrong phone no longer matters.
    see_counts(mei, booked=0, already_booked=10, rejected=2)
    assert sorted(parcel.reference for parcel in parcels_of(merchant)) == sorted(
        good["reference"] for good in ROWS
    )
    page.goto("/bookings/upload/")
    mei.sees("corrected.csv")
    fits(mei)
    assert mei.complaints == []


def correct(rejected: Path, corrected: Path) -> None:
    """Do what the file of rejected rows says; each of them has its reason."""
    text = rejected.read_text("utf-8-sig")
    assert text.splitlines()[0].endswith(",problem")
    assert text.count("Enter the weight in whole grams") == 1
    for wrong, right in (("light", "800"), ("Atlantis", "CN-CTU"), ("1.38E+10", "13812345678")):
        text = text.replace(f",{wrong},", f",{right},")
    corrected.write_text(text)
