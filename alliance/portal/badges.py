"""How a state looks on a page: its label, colour and icon.

Values come from the choices of every app; the kernel names them as text, because it may not
import the apps. A test holds this table against their choices.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True, slots=True)
class Badge:
    """One state's label, one of the colours of css/components.css, and a Tabler icon."""

    label: str | Promise
    colour: str
    icon: str


PARCEL_STATUSES: dict[str, Badge] = {
    "booked": Badge(_("Booked"), "slate", "notes"),
    "picked_up": Badge(_("Picked up"), "cyan", "package-export"),
    "in_transit": Badge(_("In transit"), "blue", "truck"),
    "out_for_delivery": Badge(_("Out for delivery"), "indigo", "scooter"),
    "attempt_failed": Badge(_("Delivery attempt failed"), "orange", "door-off"),
    "available_for_pickup": Badge(_("Ready for collection"), "teal", "building-store"),
    "delivered": Badge(_("Delivered"), "green", "circle-check"),
    "exception": Badge(_("Exception"), "red", "alert-triangle"),
    "returning": Badge(_("Returning to sender"), "amber", "arrow-back-up"),
    "returned": Badge(_("Returned to sender"), "brown", "package-import"),
    "lost": Badge(_("Lost"), "red", "help-octagon"),
    "cancelled": Badge(_("Cancelled"), "grey", "ban"),
}

SCAN_CODES: dict[str, Badge] = {
    "picked_up": Badge(_("Picked up from sender"), "cyan", "package-export"),
    "departed": Badge(_("Departed"), "blue", "truck-delivery"),
    "arrived": Badge(_("Arrived"), "blue", "building-warehouse"),
    "out_for_delivery": PARCEL_STATUSES["out_for_delivery"],
    "attempt_failed": PARCEL_STATUSES["attempt_failed"],
    "available_for_pickup": PARCEL_STATUSES["available_for_pickup"],
    "delivered": PARCEL_STATUSES["delivered"],
    "held": Badge(_("Held"), "amber", "hand-stop"),
    "damaged": Badge(_("Damaged"), "red", "package-off"),
    "lost": PARCEL_STATUSES["lost"],
    "return_started": Badge(_("Return to sender started"), "amber", "arrow-back-up"),
    "returned": PARCEL_STATUSES["returned"],
    "correction": Badge(_("Correction"), "grey", "eraser"),
}

OUTCOMES: dict[str, Badge] = {
    "pending": Badge(_("Pending"), "slate", "clock"),
    "met": Badge(_("On time"), "green", "circle-check"),
    "overdue": Badge(_("Overdue"), "red", "alarm"),
    "late": Badge(_("Late"), "orange", "clock-exclamation"),
    "void": Badge(_("Void"), "grey", "circle-off"),
}

APPLICATION_STATES: dict[str, Badge] = {
    "draft": Badge(_("Draft"), "slate", "pencil"),
    "submitted": Badge(_("Waiting for review"), "blue", "send"),
    "more_needed": Badge(_("More information needed"), "amber", "message-question"),
    "approved": Badge(_("Approved"), "green", "circle-check"),
    "rejected": Badge(_("Rejected"), "red", "circle-x"),
}

EXCUSE_STATES: dict[str, Badge] = {
    "claimed": Badge(_("Waiting for a decision"), "blue", "hourglass"),
    "granted": Badge(_("Granted"), "green", "shield-check"),
    "declined": Badge(_("Declined"), "red", "circle-x"),
    "withdrawn": Badge(_("Taken back"), "grey", "arrow-back-up"),
    "revoked": Badge(pgettext_lazy("excuse", "Revoked"), "orange", "ban"),
    "lapsed": Badge(_("Lapsed: the breach stands no more"), "grey", "circle-off"),
}

GRADES: dict[str, Badge] = {
    "gold": Badge(pgettext_lazy("grade", "Gold"), "amber", "medal"),
    "silver": Badge(pgettext_lazy("grade", "Silver"), "slate", "medal-2"),
    "member": Badge(pgettext_lazy("grade", "Member"), "blue", "users"),
    "probation": Badge(pgettext_lazy("grade", "Probation"), "red", "alert-triangle"),
}

GENERAL: dict[str, Badge] = {
    "active": Badge(_("Active"), "green", "circle-check"),
    "applicant": Badge(_("Applicant"), "amber", "hourglass"),
    "inactive": Badge(_("Not active"), "grey", "circle-off"),
    "paused": Badge(_("Paused"), "amber", "player-pause"),
    "suspended": Badge(_("Suspended"), "red", "ban"),
    "revoked": Badge(_("Revoked"), "grey", "ban"),
    "expired": Badge(_("Expired"), "grey", "hourglass-empty"),
    "provisional": Badge(_("Provisional"), "amber", "hourglass"),
    "excused": Badge(_("Excused"), "cyan", "shield-check"),
    "delayed": Badge(_("Delayed"), "orange", "clock-exclamation"),
    "queued": Badge(_("Queued"), "slate", "clock"),
    "running": Badge(_("Running"), "blue", "loader-2"),
    "done": Badge(_("Done"), "green", "circle-check"),
    "failed": Badge(_("Failed"), "red", "circle-x"),
    "accepted": Badge(_("Accepted"), "green", "check"),
    "duplicate": Badge(_("Already known"), "slate", "copy"),
    "rejected": Badge(_("Rejected"), "red", "x"),
    "cancelled": Badge(_("Cancelled"), "grey", "ban"),
    "skipped": Badge(_("Skipped"), "slate", "player-skip-forward"),
}

WATCH_REASONS: dict[str, Badge] = {
    "at_risk": Badge(_("At risk"), "amber", "clock-question"),
    "delayed": Badge(_("Past the promise"), "red", "alarm"),
    "delayed_dispatch": Badge(_("Not picked up"), "orange", "package-off"),
    "forgotten": Badge(_("Never scanned"), "brown", "ghost"),
    "failed_attempt": Badge(_("Attempt failed"), "orange", "door-exit"),
    "exception": Badge(_("Held or damaged"), "red", "alert-triangle"),
    "silent": Badge(_("Silent"), "slate", "volume-off"),
}

FAMILIES: dict[str, dict[str, Badge]] = {
    "watch": WATCH_REASONS,
    "parcel": PARCEL_STATUSES,
    "scan": SCAN_CODES,
    "outcome": OUTCOMES,
    "application": APPLICATION_STATES,
    "excuse": EXCUSE_STATES,
    "grade": GRADES,
    "general": GENERAL,
}


def badge_for(family: str, value: str, *, label: str = "") -> Badge:
    """Return the badge of a value; one nobody described shows its own name, never a wrong one."""
    known = FAMILIES[family].get(value) or GENERAL.get(value)
    if known is None:
        return Badge(label or value.replace("_", " ").capitalize(), "grey", "point")
    return Badge(label, known.colour, known.icon) if label else known
