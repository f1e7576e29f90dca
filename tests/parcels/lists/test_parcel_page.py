"""A parcel's page: commitments, scans, actions, and who may see the recipient."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alliance.choices import Role
from alliance.dates import date_text
from alliance.models import AuditEntry, City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, PickupAddress
from parcels.portal.timeline_entries import full_entries, public_entries
from parcels.scans.timelines import track, zone_text
from slas.commitments.services.sweeping import sweep_overdue
from tests.parcels.helpers.parcel_views import client_of, scan, some_parcels, text_of

pytestmark = pytest.mark.django_db
Book = Callable[..., Parcel]


@pytest.fixture
def book(merchant_organisation: Organisation, courier_organisation: Organisation) -> Book:
    def book(**values: Any) -> Parcel:
        return some_parcels(merchant_organisation, courier_organisation, **values)[0]

    return book


def address(parcel: Parcel, tail: str = "") -> str:
    return f"/parcels/{parcel.number}/{tail}"


def page_of(client: Client, parcel: Parcel) -> str:
    return text_of(client.get(address(parcel)))


# --- visibility ------------------------------------------------------------------------------


def test_page_is_visible_only_to_merchant_and_courier(
    book: Book,
    merchant_client: Client,
    courier_client: Client,
    rival_merchant: Organisation,
    rival_courier: Organisation,
) -> None:
    parcel = book(reference="PO-7")
    assert "Swift Express" in page_of(merchant_client, parcel)
    assert "Lotus Tea" in page_of(courier_client, parcel)
    for rival in (rival_merchant, rival_courier):
        outsider = client_of(rival, Role.OWNER)
        assert outsider.get(address(parcel)).status_code == 404
        assert outsider.post(address(parcel, "recipient/")).status_code == 404


def test_anonymous_user_must_log_in(book: Book, client: Client) -> None:
    parcel = book()
    for response in (client.get(address(parcel)), client.post(address(parcel, "recipient/"))):
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/")


def test_any_spelling_redirects_to_the_canonical_url(book: Book, merchant_client: Client) -> None:
    parcel = book()
    response = merchant_client.get(f"/parcels/{parcel.number.lower()[:8]}-{parcel.number[8:]}/")
    assert (response.status_code, response["Location"]) == (302, address(parcel))


def test_invalid_and_unknown_numbers_are_not_found(merchant_client: Client) -> None:
    for number in ("hello", "CA180G9J93M00R1W", "CA180G9J93M00R1X"):
        assert merchant_client.get(f"/parcels/{number}/").status_code == 404


# --- commitments -----------------------------------------------------------------------------


def test_promises_show_city_and_margin(book: Book, merchant_client: Client) -> None:
    parcel = book(hours_ago=60)
    scan(parcel, "picked_up", 4)
    scan(parcel, "delivered", 33.5)
    page = page_of(merchant_client, parcel)
    assert "Pickup" in page
    assert "On time 2 h early" in page
    assert "Late 3 h 30 min late" in page
    assert "Breach opened" in page
    assert "UTC+8" in page


def test_promise_is_overdue_before_and_after_the_sweep(book: Book, courier_client: Client) -> None:
    parcel = book(hours_ago=40)
    scan(parcel, "picked_up", 1)
    assert "Overdue 10 h overdue" in page_of(courier_client, parcel)
    with scope(Scope.everything()):
        sweep_overdue(now=timezone.now())
    assert "Overdue 10 h overdue Breach opened" in page_of(courier_client, parcel)


def test_withdrawn_breach_is_shown(book: Book, merchant_client: Client) -> None:
    parcel = book(hours_ago=40)
    with scope(Scope.everything()):
        sweep_overdue(now=timezone.now())
    scan(parcel, "delivered", 20, now=timezone.now())
    page = page_of(merchant_client, parcel)
    assert "On time 10 h early Breach withdrawn" in page


def test_times_are_in_the_destinations_time_zone(book: Book, merchant_client: Client) -> None:
    parcel = book(hours_ago=60)
    scan(parcel, "delivered", 2)
    with scope(Scope.everything()):
        City.objects.filter(pk=parcel.destination_id).update(time_zone="Asia/Kathmandu")
    page = page_of(merchant_client, parcel)
    there = date_text(parcel.booked_at + timedelta(hours=2, minutes=5 * 60 + 45), "DATETIME_FORMAT")
    assert "Times are local to Chengdu (UTC+5:45)." in page
    assert f"Delivered {there}" in page


# --- scans -----------------------------------------------------------------------------------


def test_history_marks_late_and_out_of_order_scans(book: Book, courier_client: Client) -> None:
    parcel = book(hours_ago=30)
    scan(parcel, "arrived", 10, facility="成都双流国际机场航空快件集散中心")
    scan(parcel, "held", 8, reason="weather_typhoon", now=parcel.booked_at + timedelta(hours=12))
    page = page_of(courier_client, parcel)
    assert "成都双流国际机场航空快件集散中心" in page
    assert "Typhoon · at fault: weather Received 4 h later · Received out of order" in page
    assert page.index("Arrived") < page.index("Typhoon")


def test_withdrawn_scan_is_struck_out(book: Book, merchant_client: Client) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "delivered", 10, event_id="e1")
    scan(parcel, "correction", 11, corrects="e1")
    response = merchant_client.get(address(parcel))
    assert re.search(r"<del>Delivered</del>", response.content.decode())
    page = text_of(response)
    assert "Withdrawn by a correction received" in page
    assert "Withdraws “Delivered” of" in page
    assert "Booked since" in page


def test_failed_attempt_shows_reason_and_party(book: Book, merchant_client: Client) -> None:
    parcel = book(hours_ago=30)
    scan(parcel, "attempt_failed", 10, reason="consignee_absent")
    assert "Recipient absent · at fault: recipient" in page_of(merchant_client, parcel)


def test_locker_without_consent_is_shown(book: Book, merchant_client: Client) -> None:
    parcel = book(hours_ago=30)
    scan(parcel, "available_for_pickup", 10)
    assert "Without the recipient's consent: counts as a failed attempt." in page_of(merchant_client, parcel)


# --- recipient -------------------------------------------------------------------------------


def test_recipient_is_masked_and_unmasking_is_audited(book: Book, merchant_client: Client) -> None:
    parcel = book()
    page = page_of(merchant_client, parcel)
    assert "欧***" in page
    assert "欧阳娜娜" not in page
    assert "1203" not in page
    full = text_of(merchant_client.post(address(parcel, "recipient/")))
    assert "欧阳娜娜" in full
    assert "+86 138 1234 5678" in full
    assert "1203室" in full
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="parcel.unmasked")
    assert (entry.object_id, entry.organisation_id) == (str(parcel.pk), parcel.merchant_id)


def test_role_without_the_capability_cannot_unmask(book: Book, merchant_organisation: Organisation) -> None:
    parcel = book()
    viewer = client_of(merchant_organisation, Role.VIEWER)
    assert "Show in full" not in page_of(viewer, parcel)
    response = viewer.post(address(parcel, "recipient/"))
    assert response.status_code == 403
    assert "欧阳" not in text_of(response)


def test_unmasking_requires_post(book: Book, merchant_client: Client) -> None:
    parcel = book()
    # A GET of the URL, as after a change of language, redirects to the masked page.
    response = merchant_client.get(address(parcel, "recipient/"), follow=True)
    assert response.redirect_chain == [(f"/parcels/{parcel.number}/", 302)]
    assert "Show in full" in text_of(response)


def test_fee_requires_booking_or_finance_capability(
    book: Book, merchant_organisation: Organisation, merchant_client: Client
) -> None:
    parcel = book()
    assert "CNY 12.50" in page_of(merchant_client, parcel)
    assert "CNY 12.50" in page_of(client_of(merchant_organisation, Role.FINANCE), parcel)
    assert "12.50" not in page_of(client_of(merchant_organisation, Role.VIEWER), parcel)


# --- actions ---------------------------------------------------------------------------------


def test_only_the_merchant_can_cancel_and_only_while_booked(
    book: Book, merchant_client: Client, courier_client: Client, merchant_organisation: Organisation
) -> None:
    parcel = book()
    assert "Cancel parcel" in page_of(merchant_client, parcel)
    assert "Cancel parcel" not in page_of(courier_client, parcel)
    assert "Cancel parcel" not in page_of(client_of(merchant_organisation, Role.VIEWER), parcel)
    scan(parcel, "picked_up", 1)
    assert "Cancel parcel" not in page_of(merchant_client, parcel)


def test_number_can_be_copied_and_page_printed(book: Book, merchant_client: Client) -> None:
    parcel = book()
    html = merchant_client.get(address(parcel)).content.decode()
    assert f'data-copy="{parcel.number}"' in html
    assert "data-print" in html
    assert f"/track/{parcel.number}/" in html


DETAIL_QUERIES = 26


def test_query_count_is_the_same_for_one_and_three_scans(
    book: Book, merchant_client: Client, django_assert_num_queries: Any
) -> None:
    parcel = book(hours_ago=20)
    scan(parcel, "picked_up", 1)
    merchant_client.get(address(parcel))
    for hours in (2, 3):
        # The first request loads the forecast curves.
        merchant_client.get(address(parcel))
        with django_assert_num_queries(DETAIL_QUERIES):
            merchant_client.get(address(parcel))
        scan(parcel, "departed", hours)
        scan(parcel, "arrived", hours + 0.5)


# --- timelines -------------------------------------------------------------------------------


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def fact(key: int, code: str, occurred: float, received: float, **more: Any) -> Any:
    values = {"reason": "", "facility": "", "consent": False, "corrects": None, "stated_at": None, **more}
    return SimpleNamespace(
        event_key=key,
        code=code,
        occurred_at=NOON + timedelta(hours=occurred),
        received_at=NOON + timedelta(hours=received),
        **values,
    )


def test_order_of_arrival_changes_only_the_remarks() -> None:
    tracked_scans = track([fact(1, "arrived", 5, 5), fact(2, "departed", 3, 6), fact(3, "picked_up", 1, 1)])
    assert [item.scan.event_key for item in tracked_scans] == [1, 2, 3]
    assert [item.out_of_order for item in tracked_scans] == [False, True, False]
    assert [item.received_late for item in tracked_scans] == [None, timedelta(hours=3), None]


def test_parties_see_what_a_wrong_clock_said() -> None:
    parcel = SimpleNamespace(booked_at=NOON, cancelled_at=None)
    tracked_scans = track([fact(1, "picked_up", 1, 1, stated_at=NOON - timedelta(minutes=3))])
    assert "The courier's clock said" in full_entries(parcel, tracked_scans)[0]["detail"]
    assert "clock" not in str(public_entries(parcel, tracked_scans))


def test_scans_of_one_batch_are_not_out_of_order() -> None:
    tracked_scans = track([fact(1, "arrived", 5, 6), fact(2, "departed", 3, 6)])
    assert not any(item.out_of_order for item in tracked_scans)


def test_correction_may_arrive_before_the_scan_it_withdraws() -> None:
    alone = track([fact(9, "correction", 2, 2, corrects=1)])
    assert alone[0].withdraws is None
    both = track([fact(9, "correction", 2, 2, corrects=1), fact(1, "delivered", 1, 3)])
    assert [item.withdrawn_at is not None for item in both] == [False, True]
    assert both[0].withdraws is both[1].scan


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Asia/Shanghai", "UTC+8"),
        ("Asia/Kathmandu", "UTC+5:45"),
        ("America/St_Johns", "UTC-3:30"),
        ("UTC", "UTC"),
    ],
)
def test_zone_text(zone: str, text: str) -> None:
    assert zone_text(zone, NOON) == text


def test_courier_sees_only_the_pickup_address_of_its_parcel(
    courier_client: Client, courier: Actor, merchant: Actor, book: Book, hangzhou: City
) -> None:
    parcel = book()
    with scope(Scope.of(merchant)):
        pickup = PickupAddress.objects.create(
            merchant_id=merchant.tenant_id, name="Main", city=hangzhou, address="1 Silk Road",
            contact_name="Lin", contact_phone="13800000000",
        )  # fmt: skip
        Parcel.objects.filter(pk=parcel.pk).update(pickup_address=pickup)
    assert "1 Silk Road" in page_of(courier_client, parcel)
    with scope(Scope.of(courier)):
        assert not PickupAddress.objects.exists()
