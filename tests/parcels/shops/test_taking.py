"""What becomes of messages: booked, cancelled, ignored or rejected, in whatever order they come."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from alliance.choices import OrganisationStatus, Role
from alliance.errors import Conflict, NotFound, Unavailable
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.choices import BooksOn, ParcelSource, ParcelStatus, ShopOutcome, ShopReason
from parcels.models import BookingTemplate, ConnectedShop, ShopMessage
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from parcels.shops.services import taking
from parcels.shops.services.shops import pause_shop, resume_shop, retry_message
from parcels.shops.services.taking import MOST_ATTEMPTS, resume_shops, take_messages
from tests.parcels.helpers.bookings import booked, parcels_of
from tests.parcels.shops.helpers import (
    ADDRESS,
    connected,
    messages_of,
    orders_of,
    send,
    shopify_order,
    taken,
    woo_order,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_sale")]


def status_of(merchant: Actor) -> list[str]:
    return [parcel.status for parcel in parcels_of(merchant)]


def make_due(shop: ConnectedShop) -> None:
    """Let the claim of a worker that was killed be over."""
    with scope(Scope.everything()):
        waiting = ShopMessage.objects.filter(shop=shop, outcome=ShopOutcome.WAITING)
        waiting.update(due_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("name", "topic", "order", "reference", "weight"),
    [
        ("shopify", "orders/create", shopify_order, "#1001", 640),
        ("woo", "order.created", woo_order, "727", 800),
    ],
)
def test_order_is_booked_by_the_template(
    name: str, topic: str, order: Any, reference: str, weight: int, merchant: Actor, request: Any
) -> None:
    shop: ConnectedShop = request.getfixturevalue(name)
    message = taken(shop, topic, order())
    [parcel] = parcels_of(merchant)
    assert (message.outcome, message.parcel_id, message.number) == (ShopOutcome.BOOKED, parcel.pk, reference)
    assert (parcel.reference, parcel.weight_g, parcel.source) == (reference, weight, ParcelSource.SHOP)
    assert "".join(parcel.recipient_address.split()) == "人民南路四段12号3单元1203室"
    assert not message.is_open
    assert message.due_at is None


def test_order_told_several_times_is_booked_once(shopify: ConnectedShop, merchant: Actor) -> None:
    order = shopify_order()
    for topic in ("orders/create", "orders/paid", "orders/updated"):
        message = taken(shopify, topic, order)
    assert (message.outcome, message.reason) == (ShopOutcome.IGNORED, ShopReason.BOOKED_BEFORE)
    [parcel] = parcels_of(merchant)
    assert message.parcel_id == parcel.pk
    assert len(orders_of(shopify)) == 1


def test_order_booked_in_another_way_is_that_parcel(
    shopify: ConnectedShop, merchant: Actor, hangzhou: Any, chengdu: Any
) -> None:
    by_hand = booked(merchant, hangzhou, chengdu, at=timezone.now(), reference="#1001")
    message = taken(shopify, "orders/create", shopify_order())
    assert (message.reason, message.parcel_id) == (ShopReason.BOOKED_BEFORE, by_hand.parcel_id)
    # So a cancel reaches it, too.
    later = timezone.now() + timedelta(seconds=2)
    order = shopify_order(updated_at=later.isoformat(), cancelled_at=later.isoformat())
    assert taken(shopify, "orders/cancelled", order).outcome == ShopOutcome.CANCELLED
    assert status_of(merchant) == [ParcelStatus.CANCELLED]


def test_numbers_of_two_shops_are_told_apart_by_a_prefix(woo: ConnectedShop, merchant: Actor) -> None:
    second = connected(merchant, woo.kind, name="Cups", prefix="C-")
    taken(woo, "order.created", woo_order())
    assert taken(second, "order.created", woo_order()).outcome == ShopOutcome.BOOKED
    assert sorted(parcel.reference for parcel in parcels_of(merchant)) == ["727", "C-727"]


def test_cancel_that_comes_first_is_remembered(shopify: ConnectedShop, merchant: Actor) -> None:
    then = timezone.now()
    cancel = shopify_order(
        at=then, updated_at=(then + timedelta(minutes=1)).isoformat(), cancelled_at=then.isoformat()
    )
    assert taken(shopify, "orders/cancelled", cancel).reason == ShopReason.CANCELLED
    late = taken(shopify, "orders/create", shopify_order(at=then))
    assert (late.outcome, late.reason) == (ShopOutcome.IGNORED, ShopReason.CANCELLED_BEFORE)
    assert parcels_of(merchant) == []


def test_deleted_order_of_woocommerce_is_cancelled_and_stays_so(woo: ConnectedShop, merchant: Actor) -> None:
    order = woo_order(at=timezone.now() - timedelta(seconds=5))
    taken(woo, "order.created", order)
    gone = taken(woo, "order.deleted", {"id": order["id"]})
    assert gone.outcome == ShopOutcome.CANCELLED
    assert taken(woo, "order.updated", order).reason == ShopReason.CANCELLED_BEFORE
    assert status_of(merchant) == [ParcelStatus.CANCELLED]
    # Taken out of the bin again, with the time of its last change.
    assert taken(woo, "order.restored", order).outcome == ShopOutcome.BOOKED
    assert status_of(merchant) == [ParcelStatus.CANCELLED, ParcelStatus.BOOKED]


def test_cancel_frees_the_parcel_and_too_late_says_so(
    shopify: ConnectedShop, merchant: Actor, courier: Actor
) -> None:
    now = timezone.now()
    taken(shopify, "orders/create", shopify_order(1, at=now))
    taken(shopify, "orders/create", shopify_order(2, at=now))
    first, second = parcels_of(merchant)
    with scope(Scope.everything()):
        record_scans(
            actor=courier, lines=[ScanLine(second.number, "picked_up", now)], now=now + timedelta(minutes=5)
        )
    for number, outcome in ((1, ShopOutcome.CANCELLED), (2, ShopOutcome.TOO_LATE)):
        order = shopify_order(number, at=now, cancelled_at=now.isoformat())
        message = taken(shopify, "orders/cancelled", order)
        assert message.outcome == outcome
        assert message.is_open == (outcome == ShopOutcome.TOO_LATE)
    assert (message.reason, message.parcel_id) == ("already_moving", second.pk)
    assert status_of(merchant) == [ParcelStatus.CANCELLED, ParcelStatus.PICKED_UP]
    assert first.pk != second.pk


def test_stale_retry_changes_nothing(shopify: ConnectedShop, merchant: Actor) -> None:
    then = timezone.now()
    newer = shopify_order(at=then, updated_at=(then + timedelta(minutes=5)).isoformat())
    taken(shopify, "orders/updated", newer)
    older = shopify_order(at=then, shipping_address={**ADDRESS, "name": "Somebody else"})
    message = taken(shopify, "orders/create", older)
    assert (message.outcome, message.reason) == (ShopOutcome.IGNORED, ShopReason.STALE)
    assert [parcel.recipient_name for parcel in parcels_of(merchant)] == ["王小明"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "李雷"},
        {"phone": "13900001111"},
        {"address2": "4单元"},
        {"city": "重庆市"},
        {"city": "Atlantis"},
    ],
)
def test_change_after_booking_is_shown_not_applied(
    shopify: ConnectedShop, merchant: Actor, change: dict[str, str]
) -> None:
    then = timezone.now()
    taken(shopify, "orders/create", shopify_order(at=then))
    later = (then + timedelta(minutes=1)).isoformat()
    moved = shopify_order(at=then, updated_at=later, shipping_address={**ADDRESS, **change})
    message = taken(shopify, "orders/updated", moved)
    assert (message.outcome, message.is_open) == (ShopOutcome.CHANGED, True)
    [parcel] = parcels_of(merchant)
    assert (parcel.recipient_name, parcel.status) == ("王小明", ParcelStatus.BOOKED)
    # As it was before, in a still later message: nothing to look at any more.
    back = shopify_order(at=then, updated_at=(then + timedelta(minutes=2)).isoformat())
    assert taken(shopify, "orders/updated", back).reason == ShopReason.BOOKED_BEFORE
    assert not any(each.is_open for each in messages_of(shopify))


def test_changed_order_is_booked_anew_once_its_parcel_is_cancelled(
    shopify: ConnectedShop, merchant: Actor
) -> None:
    then = timezone.now()
    taken(shopify, "orders/create", shopify_order(at=then))
    later = (then + timedelta(minutes=1)).isoformat()
    order = shopify_order(at=then, updated_at=later, shipping_address={**ADDRESS, "name": "李雷"})
    message = taken(shopify, "orders/updated", order)
    [parcel] = parcels_of(merchant)
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=parcel.pk, at=timezone.now())
        retry_message(actor=merchant, shop_id=shopify.pk, message_id=message.pk)
    take_messages(shop_id=shopify.pk)
    assert messages_of(shopify)[-1].outcome == ShopOutcome.BOOKED
    assert [each.recipient_name for each in parcels_of(merchant)] == ["王小明", "李雷"]


def test_parcel_cancelled_here_is_not_booked_again_by_the_shop(
    shopify: ConnectedShop, merchant: Actor
) -> None:
    then = timezone.now()
    taken(shopify, "orders/create", shopify_order(at=then))
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=parcels_of(merchant)[0].pk, at=then)
    order = shopify_order(at=then, updated_at=(then + timedelta(minutes=1)).isoformat())
    assert taken(shopify, "orders/updated", order).reason == ShopReason.BOOKED_BEFORE
    assert status_of(merchant) == [ParcelStatus.CANCELLED]


def test_unpaid_order_waits_for_its_payment(merchant: Actor) -> None:
    shop = connected(merchant, books_on=BooksOn.PAID)
    then = timezone.now()
    first = taken(shop, "orders/create", shopify_order(at=then, financial_status="pending"))
    assert (first.outcome, first.reason) == (ShopOutcome.IGNORED, ShopReason.UNPAID)
    assert taken(shop, "orders/paid", shopify_order(at=then)).outcome == ShopOutcome.BOOKED


def test_payment_within_the_second_of_the_order_books(merchant: Actor) -> None:
    shop = connected(merchant, "woocommerce", books_on=BooksOn.PAID)
    then = timezone.now()
    taken(shop, "order.created", woo_order(at=then, status="pending"))
    assert taken(shop, "order.updated", woo_order(at=then)).outcome == ShopOutcome.BOOKED


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"test": True}, ShopReason.TEST),
        ({"line_items": [{"requires_shipping": False}]}, ShopReason.NOTHING_TO_SHIP),
        ({"shipping_address": None}, ShopReason.NO_ADDRESS),
        ({"fulfillment_status": "fulfilled"}, ShopReason.CLOSED),
        ({"created_at": "2026-11-01T10:00:00+08:00"}, ShopReason.OLD),
    ],
)
def test_what_is_not_to_be_sent_is_ignored_with_the_reason(
    shopify: ConnectedShop, merchant: Actor, order: dict[str, Any], reason: ShopReason
) -> None:
    message = taken(shopify, "orders/create", shopify_order(**order))
    assert (message.outcome, message.reason, message.is_open) == (ShopOutcome.IGNORED, reason, False)
    assert parcels_of(merchant) == []


def test_old_order_is_booked_when_a_person_asks_for_it(shopify: ConnectedShop, merchant: Actor) -> None:
    order = shopify_order(created_at=(timezone.now() - timedelta(days=3)).isoformat())
    message = taken(shopify, "orders/updated", order)
    with scope(Scope.of(merchant)):
        retry_message(actor=merchant, shop_id=shopify.pk, message_id=message.pk)
    take_messages(shop_id=shopify.pk)
    assert messages_of(shopify)[0].outcome == ShopOutcome.BOOKED


@pytest.mark.parametrize(
    ("address", "columns", "codes"),
    [
        ({"city": "Atlantis"}, "destination", "unknown_city"),
        ({"phone": "138****5678"}, "recipient_phone", "masked"),
        ({"address1": "", "address2": "", "city": ""}, "destination recipient_address", "required"),
        ({"name": "x" * 121}, "recipient_name", "max_length"),
    ],
)
def test_rejected_order_says_which_field_and_why(
    shopify: ConnectedShop, merchant: Actor, address: dict[str, str], columns: str, codes: str
) -> None:
    order = shopify_order(shipping_address={**ADDRESS, **address}, billing_address=None)
    message = taken(shopify, "orders/create", order)
    assert (message.outcome, message.is_open) == (ShopOutcome.REJECTED, True)
    assert message.reason == codes
    assert set(columns.split()) <= set(message.columns.split()) | {"recipient_address"}
    assert message.detail
    assert parcels_of(merchant) == []


def test_rejected_order_is_settled_by_a_later_message(shopify: ConnectedShop, merchant: Actor) -> None:
    then = timezone.now()
    taken(shopify, "orders/create", shopify_order(at=then, shipping_address={**ADDRESS, "city": "Atlantis"}))
    order = shopify_order(at=then, updated_at=(then + timedelta(minutes=1)).isoformat())
    assert taken(shopify, "orders/updated", order).outcome == ShopOutcome.BOOKED
    first = messages_of(shopify)[0]
    assert (first.outcome, first.is_open, first.may_retry) == (ShopOutcome.REJECTED, False, False)


def test_rejected_order_is_tried_again_after_the_template_was_mended(
    shopify: ConnectedShop, merchant: Actor
) -> None:
    with scope(Scope.everything()):
        BookingTemplate.objects.update(values={"tier": "next_day", "origin": "CN-PEK"})
    message = taken(shopify, "orders/create", shopify_order())
    assert message.outcome == ShopOutcome.REJECTED
    with scope(Scope.everything()):
        BookingTemplate.objects.update(values={"tier": "next_day", "origin": "CN-HGH"})
    with scope(Scope.of(merchant)):
        retry_message(actor=merchant, shop_id=shopify.pk, message_id=message.pk)
    take_messages(shop_id=shopify.pk)
    assert messages_of(shopify)[0].outcome == ShopOutcome.BOOKED
    with scope(Scope.of(merchant)), pytest.raises(Conflict):
        retry_message(actor=merchant, shop_id=shopify.pk, message_id=message.pk)
    assert len(parcels_of(merchant)) == 1


def test_removed_template_rejects_until_it_is_filled_in_again(
    shopify: ConnectedShop, merchant: Actor
) -> None:
    with scope(Scope.of(merchant)):
        BookingTemplate.objects.all().delete()
    message = taken(shopify, "orders/create", shopify_order())
    assert (message.outcome, message.reason) == (ShopOutcome.REJECTED, ShopReason.NO_TEMPLATE)


def test_no_order_and_no_json_are_rejected(shopify: ConnectedShop) -> None:
    for body, reason in ((b"<order/>", ShopReason.NOT_JSON), (b"[1]", ShopReason.NO_ORDER)):
        message = taken(shopify, "orders/create", body)
        assert (message.outcome, message.reason) == (ShopOutcome.REJECTED, reason)


def test_suspended_merchant_books_nothing(
    shopify: ConnectedShop, merchant_organisation: Organisation
) -> None:
    merchant_organisation.status = OrganisationStatus.SUSPENDED
    with scope(Scope.everything()):
        merchant_organisation.save()
    message = taken(shopify, "orders/create", shopify_order())
    assert (message.outcome, message.is_open) == (ShopOutcome.REJECTED, True)
    assert message.detail


def test_paused_shop_books_what_waited_once_resumed(shopify: ConnectedShop, merchant: Actor) -> None:
    with scope(Scope.of(merchant)):
        pause_shop(actor=merchant, shop_id=shopify.pk)
    assert taken(shopify, "orders/create", shopify_order()).outcome == ShopOutcome.WAITING
    assert resume_shops(now=timezone.now()) == 0
    with scope(Scope.of(merchant)):
        resume_shop(actor=merchant, shop_id=shopify.pk)
    assert resume_shops(now=timezone.now()) == 1
    assert take_messages(shop_id=shopify.pk) == 1
    assert len(parcels_of(merchant)) == 1


# --- workers that fail -----------------------------------------------------------------------


def test_worker_killed_before_booking_costs_time_only(
    shopify: ConnectedShop, merchant: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_args: Any, **_kwargs: Any) -> Any:
        raise Killed

    send(shopify, "orders/create", shopify_order())
    with monkeypatch.context() as patch:
        patch.setattr(taking, "_book", kill)
        with pytest.raises(Killed):
            take_messages(shop_id=shopify.pk)
    # Its claim holds still: nobody else takes it.
    assert take_messages(shop_id=shopify.pk) == 0
    assert resume_shops(now=timezone.now()) == 0
    make_due(shopify)
    assert resume_shops(now=timezone.now()) == 1
    assert take_messages(shop_id=shopify.pk) == 1
    assert [message.outcome for message in messages_of(shopify)] == [ShopOutcome.BOOKED]
    assert len(parcels_of(merchant)) == 1


def test_message_that_always_fails_is_given_up_and_holds_up_no_other(
    shopify: ConnectedShop, merchant: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = taking.read_order

    def fail(kind: str, topic: str, body: str, **more: Any) -> Any:
        if "#666" in body:
            raise ZeroDivisionError
        return honest(kind, topic, body, **more)

    monkeypatch.setattr(taking, "read_order", fail)
    send(shopify, "orders/create", shopify_order(666))
    send(shopify, "orders/create", shopify_order(1001))
    for _attempt in range(MOST_ATTEMPTS + 1):
        take_messages(shop_id=shopify.pk)
        make_due(shopify)
    poisoned, good = messages_of(shopify)
    assert (poisoned.outcome, poisoned.is_open, poisoned.may_retry) == (ShopOutcome.FAILED, True, True)
    assert good.outcome == ShopOutcome.BOOKED


def test_outage_is_no_attempt(shopify: ConnectedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    send(shopify, "orders/create", shopify_order())
    for error in (OperationalError("server closed the connection"), Unavailable(retry_after=3)):
        with monkeypatch.context() as patch:
            patch.setattr(taking, "require_settled", _raising(error))
            if isinstance(error, OperationalError):
                with pytest.raises(OperationalError):
                    take_messages(shop_id=shopify.pk)
            else:
                take_messages(shop_id=shopify.pk)
        [message] = messages_of(shopify)
        assert (message.outcome, message.attempts) == (ShopOutcome.WAITING, 0)
    make_due(shopify)
    assert take_messages(shop_id=shopify.pk) == 1
    assert messages_of(shopify)[0].outcome == ShopOutcome.BOOKED


def test_retry_is_for_ones_own_messages(
    shopify: ConnectedShop, rival_merchant: Organisation, merchant: Actor
) -> None:
    send(shopify, "orders/create", shopify_order())
    [message] = messages_of(shopify)
    rival = actor_of_organisation(rival_merchant, kind="user", role=Role.OWNER, label="rival")
    with scope(Scope.of(rival)), pytest.raises(NotFound):
        retry_message(actor=rival, shop_id=shopify.pk, message_id=message.pk)
    # One that waits is taken anyway.
    with scope(Scope.of(merchant)):
        retry_message(actor=merchant, shop_id=shopify.pk, message_id=message.pk)
    assert not messages_of(shopify)[0].by_hand


def _raising(error: Exception) -> Any:
    def fail(*_args: Any) -> Any:
        raise error

    return fail
