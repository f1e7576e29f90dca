"""The data of a courier that may change after its approval, and how values are compared."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from couriers.applications.rules import LABELS

# Contact data changes at once; these wait for ops.
REVIEWED: Final = ("name", "legal_name", "credit_code", "permit_number", "cities")
CONTACT: Final = ("contact_name", "contact_phone", "contact_email")
# The other value of a proposal: a document in place of another one, each as its id, kind and file name.
DOCUMENT: Final = "document"
NAMES: Final = {
    **LABELS,
    "name": _("Name shown to merchants"),
    "cities": _("Service cities"),
    DOCUMENT: _("Document"),
}


def differences(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that differ from those before."""
    return {name: value for name, value in values.items() if name in before and before[name] != value}
