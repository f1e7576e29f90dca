"""Change a merchant's contact, by itself or by ops, and its limit."""

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.members.services.contacts import contact_of, set_contact
from alliance.models import Organisation
from alliance.phones import phone_problems, read_phone
from alliance.tenancy import Actor, require
from alliance.texts import one_line
from parcels.bookings.models import Merchant
from parcels.bookings.rules import name_problems, text_problems
from parcels.bookings.services.limits import forget_waiting

CONTACT: Final = {"contact_name": 120, "contact_phone": 40}


@transaction.atomic
def change_merchant(
    *, actor: Actor, merchant_id: int, values: Mapping[str, Any], reason: str = ""
) -> Merchant:
    """Change a merchant's contact; ops also change its name, and say why.

    Without a difference nothing changes. Raises InvalidInput with an error per field, NotFound for others'.
    """
    limits = dict(CONTACT)
    if actor.is_ops:
        require(actor, Capability.OPERATE)
        limits["name"] = 200
    else:
        require(actor, Capability.MANAGE_KEYS)
    rows = Merchant.objects.visible_to(actor).select_for_update(of=("self",), no_key=True)
    merchant: Merchant | None = rows.select_related("organisation").filter(pk=merchant_id).first()
    if merchant is None:
        raise NotFound
    clean = {name: one_line(str(values[name])) for name in limits if name in values}
    errors: list[FieldError] = []
    for name in clean.keys() & {"name", "contact_name"}:
        if clean[name] or name == "name":
            errors += name_problems(f"/{name}", clean[name], limits[name])
    if phone := read_phone(clean.get("contact_phone", "")):
        clean["contact_phone"] = phone
        errors += text_problems("/contact_phone", phone, limits["contact_phone"])
        errors += phone_problems("/contact_phone", phone)
    if actor.is_ops and not reason.strip():
        errors.append(FieldError("/reason", _("Enter a reason."), "required"))
    if errors:
        raise InvalidInput(errors=errors)
    before = {"name": merchant.organisation.name, **contact_of(merchant.pk)}
    changed = {name: text for name, text in clean.items() if text != before[name]}
    if "name" in changed:
        Organisation.objects.filter(pk=merchant.pk).update(name=changed["name"])
    contact = {name: text for name, text in changed.items() if name in CONTACT}
    if contact:
        set_contact(merchant.pk, contact)
    if changed:
        audit.record(
            actor=actor,
            verb="merchant.changed",
            object_type="merchant",
            object_id=merchant.pk,
            organisation_id=merchant.pk,
            detail={"fields": sorted(changed), "reason": reason.strip()},
        )
    return merchant


@transaction.atomic
def set_limit_lifted(*, actor: Actor, merchant_id: int, lifted: bool, reason: str) -> Merchant:
    """Let a merchant book without the limit of its first days, or have it again. For ops.

    Without a difference nothing changes. Raises InvalidInput without a reason, NotFound.
    """
    require(actor, Capability.OPERATE)
    if not reason.strip():
        raise InvalidInput(errors=[FieldError("/reason", _("Enter a reason."), "required")])
    rows = Merchant.objects.visible_to(actor).select_for_update(of=("self",), no_key=True)
    merchant: Merchant | None = rows.filter(pk=merchant_id).first()
    if merchant is None:
        raise NotFound
    if merchant.limit_lifted != lifted:
        merchant.limit_lifted = lifted
        merchant.save(update_fields=["limit_lifted"])
        forget_waiting(merchant_id)
        audit.record(
            actor=actor,
            verb="merchant.limit_lifted" if lifted else "merchant.limit_restored",
            object_type="merchant",
            object_id=merchant.pk,
            organisation_id=merchant.pk,
            detail={"reason": reason.strip()},
        )
    return merchant
