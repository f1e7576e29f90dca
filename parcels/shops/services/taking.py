"""Take shops' messages: book, cancel, or say why nothing is done.

A message is claimed first, for a while, and then taken in one transaction: its order, its parcel and what is
said of it are written together. So a worker may be killed anywhere, and two may work side by side: the
message is taken again when its claim is over, and its order says what was done. Messages of one order may
come in any order: see `rules.judge`.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import Error, IntegrityError, InterfaceError, OperationalError
from django.utils import timezone, translation

from alliance.cities import CityFinder, UnknownCity
from alliance.csv_files.records import Record
from alliance.database.together import require_settled
from alliance.errors import AllianceError
from alliance.jobs import after_commit
from alliance.locks import Lock, wait_for
from alliance.members.services.organisations import worker_of_organisation
from alliance.tenancy import Actor, Scope, scope
from alliance.web.outages import is_busy
from alliance.workbooks.cells import SheetRow
from parcels.booking_files.columns import COLUMNS
from parcels.booking_files.mappings import converted
from parcels.booking_files.services.orders import Known as KnownParcel
from parcels.booking_files.services.references import homes_with_references
from parcels.booking_files.services.rows import Rows, explain
from parcels.booking_files.services.slices import book_rows
from parcels.bookings.models import Parcel
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelSource, ParcelStatus, ShopOutcome, ShopReason
from parcels.shops.models import ConnectedShop, ShopMessage, ShopOrder
from parcels.shops.orders import Unreadable, mapping_of, read_order
from parcels.shops.rules import Known, Order, Stage, Verdict, judge

MOST_ATTEMPTS: Final = 5
# How long a message is a worker's alone; doubled after each further attempt.
CLAIM: Final = timedelta(minutes=2)
OPEN: Final = frozenset({ShopOutcome.REJECTED, ShopOutcome.CHANGED, ShopOutcome.TOO_LATE, ShopOutcome.FAILED})
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a message."""

    outcome: ShopOutcome
    reason: str = ""
    columns: str = ""
    detail: str = ""
    parcel_id: int | None = None

    @classmethod
    def refused(cls, refusal: AllianceError) -> "Result":
        columns, codes, detail, _remedies = explain(refusal)
        return cls(ShopOutcome.REJECTED, codes, columns, detail)


def take_messages(*, shop_id: int, stretch: timedelta | None = None) -> int:
    """Take what a shop has sent, for a limited time; return how many messages.

    May be killed at any point, and run twice and side by side. Raises when the database is down.
    """
    until = None if stretch is None else time.monotonic() + stretch.total_seconds()
    count = 0
    while (message := _claim(shop_id)) is not None:
        _take(message)
        count += 1
        if until is not None and time.monotonic() > until:
            after_commit("parcels.tasks.take_shop_messages", shop_id)
            break
    return count


def resume_shops(*, now: datetime) -> int:
    """Send shops to workers whose messages wait, as of a worker that was killed; return how many."""
    with scope(Scope.everything()):
        shops = list(ShopMessage.objects.due(now).order_by().values_list("shop_id", flat=True).distinct())
    for shop_id in shops:
        after_commit("parcels.tasks.take_shop_messages", shop_id)
    return len(shops)


def _claim(shop_id: int) -> ShopMessage | None:
    """Take the oldest message that nobody works on; one that was begun too often has failed."""
    while True:
        now = timezone.now()
        with scope(Scope.everything()):
            rows = ShopMessage.objects.due(now).filter(shop_id=shop_id).order_by("pk")
            message: ShopMessage | None = rows.select_for_update(
                of=("self",), skip_locked=True, no_key=True
            ).first()
            if message is None:
                return None
            if message.attempts < MOST_ATTEMPTS:
                message.due_at = now + CLAIM * 2**message.attempts
                message.attempts += 1
                message.save(update_fields=["due_at", "attempts"])
                return message
            _finish(message, Result(ShopOutcome.FAILED), at=now)


def _take(message: ShopMessage) -> None:
    """Take a claimed message. What it raises makes it wait, and after some attempts fail."""
    try:
        _take_once(message)
    except AllianceError as refusal:
        if refusal.retry_after is not None:
            _put_back(message, timedelta(seconds=refusal.retry_after))
            return
        with scope(Scope.everything()):
            _finish(message, Result.refused(refusal), at=timezone.now())
    except (OperationalError, InterfaceError) as error:
        if is_busy(error):
            log.warning("shop_message_not_taken", message=message.pk, reason=str(error))
            return
        # An outage is no failure of the message. While it lasts, the attempt cannot be uncounted.
        with suppress(Error):
            _put_back(message, timedelta(0))
        raise
    except IntegrityError:
        # Its shop was deleted at this moment, and the message with it.
        log.info("shop_message_gone", message=message.pk)
    except Exception:
        log.exception("shop_message_failed", message=message.pk)


def _put_back(message: ShopMessage, wait: timedelta) -> None:
    with scope(Scope.everything()):
        waiting = ShopMessage.objects.filter(pk=message.pk, outcome=ShopOutcome.WAITING)
        waiting.update(due_at=timezone.now() + wait, attempts=message.attempts - 1)


def _take_once(message: ShopMessage) -> None:
    actor = worker_of_organisation(message.merchant_id, label=f"shop {message.shop_id}")
    now = timezone.now()
    with scope(Scope.of(actor)):
        homes = homes_with_references(message.merchant_id, at=now)
    # A reference is looked up among the parcels there: one that cannot be seen yet would be booked again.
    require_settled(homes)
    with scope(Scope.of(actor)):
        # As files of bookings: each must see the bookings of the others. So two messages of one order wait
        # for each other, too.
        wait_for(Lock.BOOK_SLICE, of=message.merchant_id)
        rows = ShopMessage.objects.select_related("shop", "shop__template").select_for_update(
            of=("self",), no_key=True
        )
        found = rows.filter(pk=message.pk, outcome=ShopOutcome.WAITING).first()
        if found is None:
            return
        with translation.override(found.shop.language):
            _finish(found, _result_of(actor, found, now), at=now)


def _result_of(actor: Actor, message: ShopMessage, at: datetime) -> Result:
    shop = message.shop
    try:
        order = read_order(shop.kind, message.topic, message.body, received_at=message.received_at)
    except Unreadable as refusal:
        return Result(ShopOutcome.REJECTED, refusal.reason)
    row, _is_new = ShopOrder.objects.select_for_update(no_key=True).get_or_create(
        shop=shop, key=order.key, defaults={"merchant_id": shop.merchant_id}
    )
    message.order, message.number = row, order.number
    parcel = _parcel_of(actor, row)
    if message.by_hand and parcel is not None and parcel.status == ParcelStatus.CANCELLED:
        # A person has cancelled it, and wants the order booked as it is now.
        row.parcel_id = parcel = None
    known = Known(row.version, row.is_cancelled, parcel is not None)
    verdict = judge(
        known, order, books_on=shop.books_on, connected_at=shop.connected_at, at=at, by_hand=message.by_hand
    )
    if verdict in (ShopReason.STALE, ShopReason.CANCELLED_BEFORE):
        return Result(ShopOutcome.IGNORED, verdict, parcel_id=row.parcel_id)
    row.version = order.version or row.version
    row.is_cancelled, row.touched_at = order.stage is Stage.CANCELLED, at
    match verdict:
        case Verdict.BOOK:
            result = _book(actor, shop, order, at)
            row.parcel_id = result.parcel_id
        case Verdict.CANCEL if parcel is not None:
            result = _cancel(actor, parcel, at)
            row.parcel_id = None if result.outcome == ShopOutcome.CANCELLED else parcel.pk
        case Verdict.COMPARE if parcel is not None:
            result = _compare(actor, shop, order, parcel)
        case reason:
            result = Result(ShopOutcome.IGNORED, reason.value)
    row.save()
    # What was wrong with the messages before is settled, or told by this one again.
    ShopMessage.objects.filter(order=row, is_open=True).update(is_open=False)
    return result


def _parcel_of(actor: Actor, row: ShopOrder) -> Parcel | None:
    if row.parcel_id is None:
        return None
    parcel: Parcel | None = Parcel.objects.visible_to(actor).filter(pk=row.parcel_id).first()
    return parcel


def _cells_of(shop: ConnectedShop, order: Order) -> list[str]:
    """An order under our columns, as a row of a file would be."""
    values = shop.template.values if shop.template else {}
    sheet_row = SheetRow(1, list(order.cells.values()))
    [(_number, cells)] = converted([*order.cells], [sheet_row], mapping_of(shop.kind, values))
    place = COLUMNS.index("reference")
    return [*cells[:place], shop.prefix + cells[place], *cells[place + 1 :]]


def _book(actor: Actor, shop: ConnectedShop, order: Order, at: datetime) -> Result:
    if shop.template is None:
        return Result(ShopOutcome.REJECTED, ShopReason.NO_TEMPLATE)
    outcomes = book_rows(
        actor,
        Rows(actor, COLUMNS),
        [Record(1, _cells_of(shop, order))],
        requested_at=at,
        at=at,
        source=ParcelSource.SHOP,
    )
    [(_record, _reference, result)] = outcomes.rows
    if isinstance(result, Booked):
        return Result(ShopOutcome.BOOKED, parcel_id=result.parcel_id)
    if isinstance(result, KnownParcel):
        # In a file, by a program or by hand: it is this order's.
        return Result(ShopOutcome.IGNORED, ShopReason.BOOKED_BEFORE, parcel_id=result.parcel_id)
    return Result.refused(result)


def _cancel(actor: Actor, parcel: Parcel, at: datetime) -> Result:
    try:
        cancel_parcel(actor=actor, parcel_id=parcel.pk, at=at)
    except AllianceError as refusal:
        return Result(ShopOutcome.TOO_LATE, refusal.reason, parcel_id=parcel.pk)
    return Result(ShopOutcome.CANCELLED, parcel_id=parcel.pk)


def _compare(actor: Actor, shop: ConnectedShop, order: Order, parcel: Parcel) -> Result:
    if _has_changed(actor, shop, order, parcel):
        return Result(ShopOutcome.CHANGED, parcel_id=parcel.pk)
    return Result(ShopOutcome.IGNORED, ShopReason.BOOKED_BEFORE, parcel_id=parcel.pk)


def _has_changed(actor: Actor, shop: ConnectedShop, order: Order, parcel: Parcel) -> bool:
    """Whether an order goes to somebody else, or elsewhere, than its parcel does."""
    cells = Rows(actor, COLUMNS).cells(Record(1, _cells_of(shop, order)))
    told = (cells["recipient_name"], cells["recipient_phone"], cells["recipient_address"])
    if parcel.erased_at is not None or not any(told):
        return False
    try:
        city_id = CityFinder().find(cells["destination"]).pk
    except UnknownCity:
        return True
    sent_to = (parcel.recipient_name, parcel.recipient_phone, parcel.recipient_address)
    return (*told, city_id) != (*sent_to, parcel.destination_id)


def _finish(message: ShopMessage, result: Result, *, at: datetime) -> None:
    """Store what became of a message."""
    message.outcome, message.done_at, message.due_at = result.outcome, at, None
    message.is_open, message.by_hand = result.outcome in OPEN, False
    message.reason, message.columns = result.reason[:300], result.columns[:300]
    message.detail, message.parcel_id = result.detail[:1000], result.parcel_id
    message.save()
