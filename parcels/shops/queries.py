"""Reads of shops and what they sent, for pages."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import Count, OuterRef, Q, Subquery

from alliance.tenancy import Actor
from parcels.choices import ShopOutcome
from parcels.shops.models import ConnectedShop, ShopMessage
from parcels.shops.querysets import MessageQuerySet


class Figures(NamedTuple):
    """How many of a shop's messages are to be looked at, and how many wait."""

    open: int = 0
    waiting: int = 0


def shops_of(actor: Actor) -> Sequence[ConnectedShop]:
    """A merchant's shops, each with when it sent something last (`last_at`), as far as that is kept."""
    messages = ShopMessage.objects.filter(shop=OuterRef("pk")).order_by("-pk")
    rows = ConnectedShop.objects.visible_to(actor).order_by("name", "pk")
    return list(rows.annotate(last_at=Subquery(messages.values("received_at")[:1])))


def figures_of(actor: Actor) -> dict[int, Figures]:
    """Count what is to be looked at and what waits, by shop: all other messages are left to the index."""
    rows = ShopMessage.objects.visible_to(actor).filter(Q(is_open=True) | Q(outcome=ShopOutcome.WAITING))
    counted = (
        rows.order_by()
        .values("shop_id")
        .annotate(
            opened=Count("pk", filter=Q(is_open=True)),
            waiting=Count("pk", filter=Q(outcome=ShopOutcome.WAITING)),
        )
    )
    return {row["shop_id"]: Figures(row["opened"], row["waiting"]) for row in counted}


def messages_of(actor: Actor, shop: ConnectedShop, *, outcome: str = "", number: str = "") -> MessageQuerySet:
    """A shop's messages, newest first."""
    rows: MessageQuerySet = ShopMessage.objects.visible_to(actor).filter(shop=shop)
    if outcome:
        rows = rows.filter(outcome=outcome)
    if number:
        rows = rows.filter(number__contains=number)
    return rows
