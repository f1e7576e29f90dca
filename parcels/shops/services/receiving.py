"""The door of shops: whose message is it, and it is kept. All else is a worker's.

Two statements, each a transaction of its own, and nothing is waited for but the commit: a shop that is not
answered within seconds sends again, and gives up an address that fails often.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import IntegrityError

from alliance.jobs import after_commit
from alliance.tenancy import Scope, rows_in
from parcels.choices import ShopOutcome, ShopReason, ShopState
from parcels.shops.orders import TOPICS
from parcels.shops.rules import KEY, Message
from parcels.webhooks.signing import SecretUnreadable, opened

log = structlog.get_logger(__name__)
_SHOP: Final = "SELECT id, merchant_id, kind, state, sealed FROM parcels_connectedshop WHERE key = %s"
_KEEP: Final = """
INSERT INTO parcels_shopmessage
    (shop_id, merchant_id, delivery, topic, received_at, body, outcome, due_at, done_at, reason)
VALUES (%(shop_id)s, %(merchant_id)s, %(delivery)s, %(topic)s, %(at)s, %(body)s, %(outcome)s, %(due_at)s,
    %(done_at)s, %(reason)s)
ON CONFLICT (shop_id, delivery) DO NOTHING RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """The shop at an address."""

    shop_id: int
    merchant_id: int
    kind: str
    is_paused: bool
    secret: str


def sender_at(key: str) -> Sender | None:
    """Return the shop at an address; None for an unknown one, and for one that has no secret yet."""
    if not KEY.fullmatch(key):
        return None
    for shop_id, merchant_id, kind, state, sealed in rows_in(Scope.key(key), _SHOP, [key]):
        try:
            secret = opened(sealed) if sealed else ""
        except SecretUnreadable:
            log.error("shop_secret_unreadable", shop=shop_id)
            secret = ""
        if secret:
            return Sender(shop_id, merchant_id, kind, state == ShopState.PAUSED, secret)
    return None


def keep_message(sender: Sender, message: Message, body: bytes, *, at: datetime) -> bool:
    """Store a shop's message for a worker; return False if its shop has just been deleted.

    One that is sent again is stored once. What is not about an order is stored without its body.
    """
    is_of_order = message.topic in TOPICS[sender.kind]
    row: dict[str, Any] = {
        "shop_id": sender.shop_id,
        "merchant_id": sender.merchant_id,
        "delivery": message.delivery,
        "topic": message.topic,
        "at": at,
        "body": _text(body) if is_of_order else "",
        "outcome": (ShopOutcome.WAITING if is_of_order else ShopOutcome.IGNORED).value,
        "due_at": at if is_of_order else None,
        "done_at": None if is_of_order else at,
        "reason": "" if is_of_order else ShopReason.OTHER_TOPIC.value,
    }
    try:
        is_new = bool(rows_in(Scope.merchant(sender.merchant_id), _KEEP, row))
    except IntegrityError:
        return False
    if is_new and is_of_order and not sender.is_paused:
        after_commit("parcels.tasks.take_shop_messages", sender.shop_id)
    return True


def _text(body: bytes) -> str:
    """The body as text; none for what is none, which a worker then tells."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ""
    # PostgreSQL takes no NUL, nor does JSON.
    return "" if "\0" in text else text
