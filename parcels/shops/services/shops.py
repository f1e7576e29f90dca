"""Connect shops, change, pause and disconnect them, and have messages taken again."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.jobs import after_commit
from alliance.locks import Lock, wait_for
from alliance.tenancy import Actor, require, require_member
from alliance.texts import one_line
from parcels.booking_files.mappings import ColumnMapping
from parcels.booking_files.models import BookingTemplate
from parcels.booking_files.services.templates import save_template
from parcels.choices import BooksOn, ShopKind, ShopOutcome, ShopState
from parcels.shops.models import ConnectedShop, ShopMessage
from parcels.shops.orders import mapping_of
from parcels.shops.rules import (
    LEAST_SECRET,
    MOST_SECRET,
    MOST_SHOPS,
    NAME_LENGTH,
    PREFIX_LENGTH,
)
from parcels.webhooks.signing import sealed

_MADE_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class ShopDraft:
    """What people say of a shop. `values` is what its orders do not say: a template's."""

    name: str
    kind: str
    books_on: str
    prefix: str
    # Empty leaves it as it is.
    secret: str
    values: Mapping[str, str]


def require_shopkeeper(actor: Actor) -> None:
    """Raise NotPermitted unless the actor may connect a merchant's shops: they hold secrets, and book."""
    require_member(actor, Capability.MANAGE_WEBHOOKS)
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotPermitted(_("Only merchants can book parcels."))


def shop_of(actor: Actor, shop_id: int, *, locked: bool = False) -> ConnectedShop:
    """Return a shop of the acting merchant. Raises NotFound for any other."""
    require_shopkeeper(actor)
    rows = ConnectedShop.objects.visible_to(actor).select_related("template")
    if locked:
        rows = rows.select_for_update(of=("self",), no_key=True)
    shop: ConnectedShop | None = rows.filter(pk=shop_id).first()
    if shop is None:
        raise NotFound
    return shop


def connect_shop(*, actor: Actor, draft: ShopDraft) -> tuple[ConnectedShop, str]:
    """Connect a shop; return it, and the secret if one was made for it, which is shown only now.

    Raises InvalidInput, and Conflict if the merchant has enough of them.
    """
    require_shopkeeper(actor)
    values = _checked(draft)
    if draft.kind not in ShopKind.values:
        raise InvalidInput(errors=[FieldError("/kind", _("Choose the program of the shop."), "choice")])
    made = ""
    if not draft.secret and draft.kind == ShopKind.WOOCOMMERCE:
        # There a person chooses it; Shopify has its own, which it shows once it has a webhook.
        made = secrets.token_urlsafe(_MADE_CHARACTERS)
    with transaction.atomic():
        wait_for(Lock.CONNECT_SHOP, of=actor.tenant_id)
        if ConnectedShop.objects.visible_to(actor).count() >= MOST_SHOPS:
            detail = _("A merchant has at most %(most)d connected shops. Delete one of them first.")
            raise Conflict(detail % {"most": MOST_SHOPS}, code="too_many_shops")
        shop = ConnectedShop(
            merchant_id=actor.tenant_id,
            kind=draft.kind,
            connected_by_id=actor.user_id,
            language=translation.get_language() or "en",
            **values,
        )
        if secret := draft.secret or made:
            shop.sealed = sealed(secret)
        shop.template = _save_values(actor, shop, draft.values)
        _save(shop)
        _record(actor, shop, "shop.connected")
    return shop, made


def change_shop(*, actor: Actor, shop_id: int, draft: ShopDraft) -> ConnectedShop:
    """Change a shop; its program stays. Raises InvalidInput."""
    require_shopkeeper(actor)
    values = _checked(draft)
    with transaction.atomic():
        shop = shop_of(actor, shop_id, locked=True)
        for name, value in values.items():
            setattr(shop, name, value)
        if draft.secret:
            shop.sealed = sealed(draft.secret)
        shop.template = _save_values(actor, shop, draft.values)
        _save(shop)
        _record(actor, shop, "shop.changed", secret=bool(draft.secret))
    return shop


def pause_shop(*, actor: Actor, shop_id: int) -> ConnectedShop:
    """Take nothing until it is resumed; what the shop sends meanwhile waits, and is answered as ever."""
    return _turn(actor, shop_id, ShopState.PAUSED, "shop.paused")


def resume_shop(*, actor: Actor, shop_id: int) -> ConnectedShop:
    """Take messages again, beginning with those that wait."""
    shop = _turn(actor, shop_id, ShopState.ACTIVE, "shop.resumed")
    after_commit("parcels.tasks.take_shop_messages", shop.pk)
    return shop


def delete_shop(*, actor: Actor, shop_id: int) -> str:
    """Delete a shop with what it sent, and return its name. Its parcels and its template stay."""
    require_shopkeeper(actor)
    with transaction.atomic():
        shop = shop_of(actor, shop_id, locked=True)
        _record(actor, shop, "shop.deleted")
        shop.delete()
    return shop.name


def retry_message(*, actor: Actor, shop_id: int, message_id: int, now: datetime | None = None) -> ShopMessage:
    """Have a message taken again, as after its template was mended. One that waits is not changed.

    Raises NotFound, and Conflict for one that has been settled or whose content is gone.
    """
    require_shopkeeper(actor)
    with transaction.atomic():
        shop = shop_of(actor, shop_id)
        rows = ShopMessage.objects.visible_to(actor).filter(shop=shop, pk=message_id)
        message: ShopMessage | None = rows.select_for_update(of=("self",), no_key=True).first()
        if message is None:
            raise NotFound
        if message.outcome == ShopOutcome.WAITING:
            return message
        if not message.may_retry:
            detail = _("This message has been settled: there is nothing to try again.")
            raise Conflict(detail, code="settled")
        message.outcome, message.done_at, message.due_at = ShopOutcome.WAITING, None, now or timezone.now()
        message.attempts, message.by_hand, message.is_open = 0, True, False
        message.save()
        audit.record(
            actor=actor,
            verb="shop.message_retried",
            object_type="connected_shop",
            object_id=shop.pk,
            detail={"order": message.number},
        )
        after_commit("parcels.tasks.take_shop_messages", shop.pk)
    return message


def _turn(actor: Actor, shop_id: int, state: ShopState, verb: str) -> ConnectedShop:
    require_shopkeeper(actor)
    with transaction.atomic():
        shop = shop_of(actor, shop_id, locked=True)
        if shop.state != state:
            shop.state = state
            shop.save(update_fields=["state"])
            _record(actor, shop, verb)
    return shop


def _checked(draft: ShopDraft) -> dict[str, Any]:
    errors: list[FieldError] = []
    name, prefix = one_line(draft.name), one_line(draft.prefix)
    if not name or len(name) > NAME_LENGTH:
        message = _("Enter a name of up to %(most)d characters.") % {"most": NAME_LENGTH}
        errors.append(FieldError("/name", message, "max_length" if name else "required"))
    if len(prefix) > PREFIX_LENGTH:
        message = _("Use at most %d characters.") % PREFIX_LENGTH
        errors.append(FieldError("/prefix", message, "max_length"))
    if draft.books_on not in BooksOn.values:
        errors.append(FieldError("/books_on", _("Choose when an order is booked."), "choice"))
    if draft.secret and not LEAST_SECRET <= len(draft.secret) <= MOST_SECRET:
        message = _("A secret has %(least)d to %(most)d characters.")
        text = message % {"least": LEAST_SECRET, "most": MOST_SECRET}
        errors.append(FieldError("/secret", text, "length"))
    if errors:
        raise InvalidInput(errors=errors)
    return {"name": name, "prefix": prefix, "books_on": draft.books_on}


def _save_values(actor: Actor, shop: ConnectedShop, values: Mapping[str, str]) -> BookingTemplate:
    """Keep the values in the shop's template, or in a new one that is named after it.

    Exports of the shop have the same columns, so the template fits them, too.
    """
    mapping = mapping_of(shop.kind, {name: text for name, text in values.items() if text})
    if (template := shop.template) is not None:
        template.values = dict(mapping.values)
        template.save(update_fields=["values", "updated_at"])
        return template
    header = [name for name, _target in mapping.columns]
    taken = BookingTemplate.objects.visible_to(actor).filter(name=shop.name).exists()
    name = f"{shop.name[: NAME_LENGTH - 14]} ({shop.get_kind_display()})" if taken else shop.name
    mapping = ColumnMapping(mapping.columns, mapping.values, takes_numbers=True, one_row_each=True)
    return save_template(actor=actor, name=name, header=header, mapping=mapping)


def _save(shop: ConnectedShop) -> None:
    try:
        with transaction.atomic():
            shop.save()
    except IntegrityError:
        message = _("You have a shop of this name already.")
        raise InvalidInput(errors=[FieldError("/name", message, "taken")]) from None


def _record(actor: Actor, shop: ConnectedShop, verb: str, **detail: Any) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="connected_shop",
        object_id=shop.pk,
        organisation_id=shop.merchant_id,
        detail={"name": shop.name, **detail},
    )
