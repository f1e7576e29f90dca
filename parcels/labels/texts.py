"""The words that are printed on every label, in the reader's language."""

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

# On the label of a return, whatever its reader speaks: at a hub, either may be the only language.
RETURN: Final = "退件 RETURN"
# The same on the label of a test parcel, which nobody may carry.
TEST: Final = "测试 TEST"


@dataclass(frozen=True, slots=True)
class Words:
    deliver_by: str
    recipient: str
    sender: str
    reference: str
    origin: str
    reprint: str
    declared: str


def words() -> Words:
    return Words(
        deliver_by=_("Deliver by"),
        recipient=_("Recipient"),
        sender=_("Sender"),
        reference=_("Reference"),
        origin=pgettext("label", "from"),
        reprint=_("REPRINT"),
        declared=pgettext("label", "VALUE"),
    )
