"""What an order is, whether a message is the shop's, and what is to be done for it. Pure."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from parcels.choices import BooksOn, ShopKind, ShopReason

MOST_SHOPS: Final = 20
NAME_LENGTH: Final = 80
PREFIX_LENGTH: Final = 12
# Of the shop's own numbers and names; longer ones are no order's.
KEY_LENGTH: Final = 64
LEAST_SECRET, MOST_SECRET = 16, 200
# Below what counts as heavy: hundreds of articles take a tenth of it.
MOST_BYTES: Final = 512 * 1024
# Of a message that was taken, in which recipients are.
KEPT: Final = timedelta(days=7)
# Of one that waits, as of a shop that stays paused.
KEPT_WAITING: Final = timedelta(days=30)
# What is known of an order, without its recipient. An order that is older than OLDEST is not booked: so none
# is of which nothing is known any more.
KEPT_ORDER: Final = timedelta(days=180)
OLDEST: Final = timedelta(days=90)

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_KEY_CHARACTERS: Final = 32
KEY: Final = re.compile(rf"[{_ALPHABET}]{{{_KEY_CHARACTERS}}}")
# What WooCommerce sends to an address before a webhook is saved, without a signature.
PING: Final = re.compile(rb"webhook_id=[0-9]{1,18}")


def new_key() -> str:
    """Return what makes a shop's address one that nobody guesses: 160 bits."""
    return "".join(secrets.choice(_ALPHABET) for _n in range(_KEY_CHARACTERS))


def signature_of(secret: str, body: bytes) -> str:
    """Return what both programs sign a body with: the HMAC-SHA256 of its bytes, in base64."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    # Of bytes: compare_digest() refuses texts that are not ASCII.
    return hmac.compare_digest(signature_of(secret, body).encode(), signature.strip().encode())


class Stage(StrEnum):
    """How far an order is, for who sends it."""

    PLACED = "placed"
    PAID = "paid"
    # Nothing is to be sent any more, or it was sent already.
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as a message tells it."""

    key: str
    number: str
    stage: Stage
    # When it was like this, and when it was placed; None if the message does not say.
    version: datetime | None = None
    placed_at: datetime | None = None
    # What is in it for a booking, by names of columns that exports of the shop have.
    cells: Mapping[str, str] = field(default_factory=dict)
    # Why it is never sent, whatever its stage.
    obstacle: ShopReason | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an order from the messages before."""

    version: datetime | None = None
    is_cancelled: bool = False
    is_booked: bool = False


class Verdict(StrEnum):
    """What is to be done for a message, if anything is."""

    BOOK = "book"
    CANCEL = "cancel"
    # It is booked: has the recipient changed?
    COMPARE = "compare"


def judge(
    known: Known,
    order: Order,
    *,
    books_on: str,
    connected_at: datetime,
    at: datetime,
    by_hand: bool = False,
) -> Verdict | ShopReason:
    """Return what to do for a message, or why nothing.

    Each message tells the whole order, so the latest one counts, whichever arrives last: by the shop's own
    time of change. At the same time a cancelled order stays cancelled. `by_hand`: a person asked for it.
    """
    if known.version is not None and order.version is not None:
        if order.version < known.version:
            return ShopReason.CANCELLED_BEFORE if known.is_cancelled else ShopReason.STALE
        is_undone = known.is_cancelled and order.stage is not Stage.CANCELLED
        if is_undone and order.version == known.version:
            return ShopReason.CANCELLED_BEFORE
    if order.stage is Stage.CANCELLED:
        return Verdict.CANCEL if known.is_booked else ShopReason.CANCELLED
    if known.is_booked:
        return Verdict.COMPARE
    if order.obstacle is not None:
        return order.obstacle
    if order.stage is Stage.CLOSED:
        return ShopReason.CLOSED
    if not by_hand and _is_old(order, max(connected_at, at - OLDEST)):
        return ShopReason.OLD
    if books_on == BooksOn.PAID and order.stage is not Stage.PAID:
        return ShopReason.UNPAID
    return Verdict.BOOK


def _is_old(order: Order, since: datetime) -> bool:
    # Shops' clocks differ from ours.
    return order.placed_at is not None and order.placed_at < since - timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Message:
    """What the head of a webhook says. No signature covers it: what an order is, its body alone says."""

    topic: str
    # By which a message that is sent again is known.
    delivery: str
    signature: str


def message_of(kind: str, head: Mapping[str, str], body: bytes) -> Message:
    """Read the head of a webhook; one without an id is known by its topic and body."""
    if kind == ShopKind.SHOPIFY:
        topic, delivery, signature = (
            head.get(f"X-Shopify-{name}", "") for name in ("Topic", "Webhook-Id", "Hmac-Sha256")
        )
    else:
        topic, delivery, signature = (
            head.get(f"X-WC-Webhook-{name}", "") for name in ("Topic", "Delivery-ID", "Signature")
        )
    if not delivery or len(delivery) > KEY_LENGTH or not delivery.isascii():
        delivery = hashlib.sha256(topic.encode() + b"\n" + body).hexdigest()
    return Message(topic[:KEY_LENGTH].strip().lower(), delivery, signature)
