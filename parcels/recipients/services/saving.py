"""A merchant's address book: save, choose and remove recipients."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.locks import Lock, wait_for
from alliance.tenancy import Actor, require
from parcels.recipients.models import SavedRecipient
from parcels.recipients.rules import MOST_SAVED, Entry, full_text, problems_of

_NOTED_EACH: Final = timedelta(minutes=1)


class Saved(NamedTuple):
    """A recipient in the address book, and whether it was not there before."""

    recipient: SavedRecipient
    is_new: bool


def require_keeper(actor: Actor) -> int:
    """Return the merchant whose address book the actor keeps.

    Raises NotPermitted, and NotFound for whom is no merchant: couriers and ops keep none.
    """
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    return actor.tenant_id


def save_recipient(*, actor: Actor, entry: Entry, at: datetime) -> Saved:
    """Add a recipient; one that is there already is returned, and counts as used.

    Raises InvalidInput, and Conflict for a full address book.
    """
    merchant_id = require_keeper(actor)
    if problems := list(problems_of(entry)):
        raise InvalidInput(errors=problems)
    with transaction.atomic():
        # Two that add at once must see each other's, and count them.
        wait_for(Lock.SAVE_RECIPIENT, of=merchant_id)
        rows = SavedRecipient.objects.visible_to(actor)
        if known := rows.filter(digest=entry.digest).first():
            note_use(actor=actor, recipient_ids=[known.pk], at=at)
            return Saved(known, is_new=False)
        if rows.count() >= MOST_SAVED:
            raise Conflict(full_text(), code="address_book_full")
        recipient = SavedRecipient.objects.create(
            merchant_id=merchant_id, added_at=at, last_used_at=at, **columns_of(entry)
        )
        _record(actor, "recipient.added", recipient)
    return Saved(recipient, is_new=True)


def change_recipient(*, actor: Actor, recipient_id: int, entry: Entry, at: datetime) -> SavedRecipient:
    """Change a recipient; parcels booked for it stay as they are. Raises InvalidInput, and NotFound."""
    merchant_id = require_keeper(actor)
    if problems := list(problems_of(entry)):
        raise InvalidInput(errors=problems)
    with transaction.atomic():
        wait_for(Lock.SAVE_RECIPIENT, of=merchant_id)
        rows = SavedRecipient.objects.visible_to(actor)
        recipient = rows.filter(pk=recipient_id).first()
        if recipient is None:
            raise NotFound
        if rows.filter(digest=entry.digest).exclude(pk=recipient_id).exists():
            message = _("This recipient is in your address book already.")
            raise InvalidInput(errors=[FieldError("/name", message, "taken")])
        for name, value in columns_of(entry).items():
            setattr(recipient, name, value)
        recipient.last_used_at = at
        recipient.save()
        _record(actor, "recipient.changed", recipient)
    return recipient


def remove_recipient(*, actor: Actor, recipient_id: int) -> None:
    """Remove a recipient for good. Raises NotFound for those of others, and for one that is gone."""
    require_keeper(actor)
    recipient = SavedRecipient.objects.visible_to(actor).filter(pk=recipient_id).first()
    if recipient is None:
        raise NotFound
    _record(actor, "recipient.removed", recipient)
    recipient.delete()


def choose_recipient(*, actor: Actor, recipient_id: int, at: datetime) -> SavedRecipient:
    """Return a recipient in full, for a booking: it counts as used. Raises as `show_recipients`, NotFound."""
    [recipient] = show_recipients(actor=actor, recipient_ids=[recipient_id])
    note_use(actor=actor, recipient_ids=[recipient_id], at=at)
    return recipient


def show_recipients(*, actor: Actor, recipient_ids: Sequence[int]) -> list[SavedRecipient]:
    """Return recipients in full, by their ids, which is audited. Raises NotPermitted, NotFound."""
    require_keeper(actor)
    require(actor, Capability.UNMASK)
    rows = SavedRecipient.objects.visible_to(actor).filter(pk__in=recipient_ids).select_related("city")
    recipients = list(rows.order_by("pk"))
    if len(recipients) < len(set(recipient_ids)):
        raise NotFound
    record_unmasking(actor, [recipient.pk for recipient in recipients])
    return recipients


def note_use(*, actor: Actor, recipient_ids: Sequence[int], at: datetime) -> None:
    """Note that recipients were used, so that they are kept; once in a while is enough.

    Nothing waits for it: of bookings that name the same recipient at once, one notes it.
    """
    rows = SavedRecipient.objects.visible_to(actor)
    stale = rows.filter(pk__in=recipient_ids, last_used_at__lt=at - _NOTED_EACH).order_by("pk")
    free = list(stale.select_for_update(skip_locked=True).values_list("pk", flat=True))
    if free:
        rows.filter(pk__in=free).update(last_used_at=at)


def columns_of(entry: Entry) -> dict[str, object]:
    """What is stored of an entry, by column."""
    return {
        "name": entry.name,
        "phone": entry.phone,
        "digits": entry.digits,
        "city": entry.city,
        "address": entry.address,
        "remark": entry.remark,
        "digest": entry.digest,
    }


def record_unmasking(actor: Actor, recipient_ids: Sequence[int]) -> None:
    """Audit that the actor is shown recipients in full: which, not who they are."""
    if recipient_ids:
        audit.record(
            actor=actor,
            verb="recipient.unmasked",
            object_type="recipient",
            object_id=recipient_ids[0],
            detail={"count": len(recipient_ids), "ids": list(recipient_ids)},
        )


def _record(actor: Actor, verb: str, recipient: SavedRecipient) -> None:
    # Without the name: the audit is kept for ever.
    audit.record(actor=actor, verb=verb, object_type="recipient", object_id=recipient.pk)
