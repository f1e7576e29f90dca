"""Whom to talk to at an organisation, under the names that applications and forms use."""

from collections.abc import Mapping
from typing import Final

from alliance.members.models import Contact

FIELDS: Final = {"contact_name": "name", "contact_phone": "phone", "contact_email": "email"}


def contact_of(organisation_id: int) -> dict[str, str]:
    """Return an organisation's contact; empty texts without one."""
    contact = Contact.objects.filter(organisation_id=organisation_id).first()
    return {field: getattr(contact, name, "") for field, name in FIELDS.items()}


def set_contact(organisation_id: int, values: Mapping[str, str]) -> None:
    """Write the given fields of an organisation's contact; the caller has checked them."""
    columns = {FIELDS[field]: text for field, text in values.items()}
    Contact.objects.update_or_create(organisation_id=organisation_id, defaults=columns)
