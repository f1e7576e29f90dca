"""Badges of states on pages: label, colour and icon.

Each app has `portal/badges.py` for the families of its own choices. States that several apps share and that
are in no family are here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alliance.registry import Registry


@dataclass(frozen=True, slots=True)
class Badge:
    """The label of a state, one of the colours of css/components.css, and a Tabler icon."""

    label: str | Promise
    colour: str
    icon: str


GENERAL: Final[dict[str, Badge]] = {
    "active": Badge(_("Active"), "green", "circle-check"),
    "applicant": Badge(_("Applicant"), "amber", "hourglass"),
    "inactive": Badge(_("Not active"), "grey", "circle-off"),
    "paused": Badge(_("Paused"), "amber", "player-pause"),
    "suspended": Badge(_("Suspended"), "red", "ban"),
    "revoked": Badge(_("Revoked"), "grey", "ban"),
    "expired": Badge(_("Expired"), "grey", "hourglass-empty"),
    "provisional": Badge(_("Provisional"), "amber", "hourglass"),
    "excused": Badge(_("Exempt"), "cyan", "shield-check"),
    "delayed": Badge(_("Delayed"), "orange", "clock-exclamation"),
    "queued": Badge(_("Queued"), "slate", "clock"),
    "running": Badge(_("Running"), "blue", "loader-2"),
    "done": Badge(_("Done"), "green", "circle-check"),
    "failed": Badge(_("Failed"), "red", "circle-x"),
    "accepted": Badge(_("Accepted"), "green", "check"),
    "duplicate": Badge(_("Duplicate"), "slate", "copy"),
    "rejected": Badge(_("Rejected"), "red", "x"),
    "cancelled": Badge(_("Cancelled"), "grey", "ban"),
    "skipped": Badge(_("Skipped"), "slate", "player-skip-forward"),
}

# Of API keys; the others are general.
KEYS: Final[dict[str, Badge]] = {
    "live": Badge(_("Live"), "green", "circle-check"),
    "ending": Badge(_("Ends soon"), "amber", "clock-exclamation"),
    "rotated": Badge(_("Rotated"), "cyan", "refresh"),
    "stopped": Badge(_("Stopped"), "red", "ban"),
}

# Family -> value -> badge.
FAMILIES: Final[Registry[str, Mapping[str, Badge]]] = Registry(
    "family of badges", {"general": GENERAL, "key": KEYS}
)


def badge_for(family: str, value: str, *, label: str = "") -> Badge:
    """Return the badge of a value; an unknown value shows its own name."""
    badge = FAMILIES[family].get(value) or GENERAL.get(value)
    if badge is None:
        return Badge(label or value.replace("_", " ").capitalize(), "grey", "point")
    return Badge(label, badge.colour, badge.icon) if label else badge
