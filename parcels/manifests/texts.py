"""What has become of a parcel of a manifest, in words."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

OUTCOMES: Final[dict[str, str | Promise]] = {
    "to_pick_up": pgettext_lazy("parcel of a manifest", "To be picked up"),
    "picked_up": pgettext_lazy("parcel of a manifest", "Picked up"),
    "cancelled": gettext_lazy("Cancelled"),
    "missing": pgettext_lazy("parcel of a manifest", "Missing"),
    "removed": pgettext_lazy("parcel of a manifest", "Taken off"),
    "extra": pgettext_lazy("parcel of a manifest", "Not on the list"),
    "refused": pgettext_lazy("parcel of a manifest", "Scan refused"),
}
